// Certificates and keys from a PKCS12 file, as Java keeps them.
#ifndef HEADRACE_NET_TLS_KEYSTORE_H_
#define HEADRACE_NET_TLS_KEYSTORE_H_

#include <openssl/types.h>

#include <string>

#include "base/status.h"

namespace headrace::net {

// Makes a context use the key and the chain in `path`. INVALID_ARGUMENT: another kind of file, a
// wrong password, or no key in it.
Status UseKeystore(SSL_CTX* context, const std::string& path, const std::string& password);

}  // namespace headrace::net

#endif  // HEADRACE_NET_TLS_KEYSTORE_H_

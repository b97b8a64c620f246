// How a target's TLS is asked of src/net.
#ifndef HEADRACE_LOAD_TLS_OPTIONS_H_
#define HEADRACE_LOAD_TLS_OPTIONS_H_

#include "load/target.h"
#include "net/tls_client_context.h"

namespace headrace::load {

// Files and checks; the server's name and the protocols are the caller's.
net::TlsClientOptions TlsOptionsOf(const TlsFiles& tls);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TLS_OPTIONS_H_

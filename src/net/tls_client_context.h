// Certificates and rules of connections to TLS servers.
#ifndef HEADRACE_NET_TLS_CLIENT_CONTEXT_H_
#define HEADRACE_NET_TLS_CLIENT_CONTEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace headrace::net {

class TlsSession;

struct TlsClientOptions {
  bool verify_peer = true;
  bool verify_host = true;       // its name or address is in the certificate
  std::string ca_file;           // PEM: who may sign server certificates; empty: the system's
  std::string certificate_file;  // PEM: the client's own certificate and chain, or empty
  std::string key_file;          // PEM, not encrypted; empty: in certificate_file
  std::string server_name;       // a name, sent as SNI, or a numeric address
  std::vector<std::string> protocols = {"http/1.1"};  // ALPN
};

// TLS 1.2 and later. Immutable, thread-safe.
class TlsClientContext {
 public:
  // Reads the files. INVALID_ARGUMENT names the file and what is wrong with it.
  static Result<std::shared_ptr<const TlsClientContext>> Create(TlsClientOptions options);

  // The client's side of a connection on `fd` (borrowed). Null: no memory.
  std::unique_ptr<TlsSession> NewSession(int fd) const;

 private:
  TlsClientContext(TlsClientOptions options, std::shared_ptr<void> context);

  const TlsClientOptions options_;
  const std::shared_ptr<void> context_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_TLS_CLIENT_CONTEXT_H_

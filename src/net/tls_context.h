// Certificates and rules of a TLS listener (reliability D23).
#ifndef HEADRACE_NET_TLS_CONTEXT_H_
#define HEADRACE_NET_TLS_CONTEXT_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"

namespace headrace::net {

class TlsSession;

struct TlsOptions {
  std::string certificate_file;  // PEM: the server's certificate, then its chain
  std::string key_file;          // PEM, not encrypted
  // In place of the two: PKCS12, with the key and the chain.
  std::string keystore_file, keystore_password;
  std::string client_root_file;  // PEM: who may sign client certificates; empty: none is asked for
  bool client_certificate = false;                          // refuse clients without one
  std::vector<std::string> protocols = {"h2", "http/1.1"};  // ALPN, in the server's order
};

// TLS 1.2 and later, OpenSSL's default ciphers. Thread-safe.
class TlsContext {
 public:
  // Reads the files. INVALID_ARGUMENT names the file and what is wrong with it.
  static Result<std::shared_ptr<TlsContext>> Create(TlsOptions options);
  ~TlsContext();

  // Reads the files again; new connections use what they hold now, open ones keep what they have.
  // After a failure everything stays as it was.
  Status Reload();
  // True when a file is another one than at the last reading (by its identity, size and times).
  bool FilesChanged() const;
  const TlsOptions& options() const { return options_; }

  // The server's side of a new connection on `fd` (borrowed). Null: no memory.
  std::unique_ptr<TlsSession> NewSession(int fd) const;

 private:
  struct Loaded;
  explicit TlsContext(TlsOptions options);
  Result<std::shared_ptr<const Loaded>> Load() const;

  const TlsOptions options_;
  mutable std::mutex mutex_;  // guards loaded_, the pointer only
  std::shared_ptr<const Loaded> loaded_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_TLS_CONTEXT_H_

// The client's side of TLS: certificates, rules, and what a handshake failed of.
#ifndef HEADRACE_LOAD_CLIENT_TLS_H_
#define HEADRACE_LOAD_CLIENT_TLS_H_

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/target.h"
#include "net/tls_session.h"

struct ssl_ctx_st;

namespace headrace::load {

// TLS 1.2 and later. Immutable; thread-safe.
class ClientTls {
 public:
  // `protocol`: what ALPN offers ("h2"); "" = nothing. INVALID_ARGUMENT names the file that cannot be
  // used.
  static Result<std::shared_ptr<const ClientTls>> Create(const TlsFiles& files,
                                                         std::string_view protocol);

  // A handshake that is to begin on `fd` (borrowed), with the server that `host` names. Null: no
  // memory.
  std::unique_ptr<net::TlsSession> NewSession(int fd, const std::string& host) const;

 private:
  ClientTls(std::shared_ptr<ssl_ctx_st> context, bool verify_host)
      : context_(std::move(context)), verify_host_(verify_host) {}

  std::shared_ptr<ssl_ctx_st> context_;
  bool verify_host_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_CLIENT_TLS_H_

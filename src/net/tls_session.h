// One TLS connection over a non-blocking socket.
#ifndef HEADRACE_NET_TLS_SESSION_H_
#define HEADRACE_NET_TLS_SESSION_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_st;

namespace headrace::net {

// Not thread-safe. Writes never raise SIGPIPE.
class TlsSession {
 public:
  enum class Handshake : std::uint8_t { kDone, kWaits, kFailed };

  // Takes over `ssl`, which is bound to its socket and knows its side. `context` keeps what it was
  // made from.
  TlsSession(ssl_st* ssl, std::shared_ptr<const void> context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  Handshake ContinueHandshake();
  // Why it failed; for the log.
  const std::string& failure() const { return failure_; }
  // What ALPN chose; empty: nothing.
  std::string_view protocol() const;

  // As ByteStream's.
  ssize_t Receive(void* data, std::size_t byte_size);
  ssize_t Send(std::span<const iovec> pieces);
  void SendCloseNotify();

 private:
  ssize_t SendOne(const void* data, std::size_t byte_size);
  ssize_t Outcome(int result);

  ssl_st* ssl_;
  std::shared_ptr<const void> context_;
  std::string failure_;
  bool broken_ = false;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_TLS_SESSION_H_

// A connection that was accepted and has not shown yet what it speaks.
//
// Through TLS it finishes the handshake, and ALPN says the protocol; otherwise the first bytes do:
// HTTP/2 begins with a preface that no HTTP/1.1 request begins with. It then makes way for the
// connection of that protocol. It has the time of a request head. A client that speaks HTTP in
// plain text where TLS is spoken is told so (ListenerOptions::plain_text_refusal).
#ifndef HEADRACE_NET_PENDING_CONNECTION_H_
#define HEADRACE_NET_PENDING_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "net/connection.h"
#include "net/timeout_list.h"
#include "net/tls_session.h"

namespace headrace::net {

class HttpListener;

// What every HTTP/2 connection begins with (RFC 9113, 3.4).
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class PendingConnection final : public Connection {
 public:
  // `listener` is borrowed; `tls` is null for plain TCP.
  PendingConnection(UniqueFd fd, std::unique_ptr<TlsSession> tls, HttpListener& listener);

  void OnEvents(std::uint32_t events) override;
  void Begin(std::string_view received) override;
  void OnTimeout() override;
  void BeginDrain() override;
  void Close() override;

 private:
  void Handshake();
  enum class FirstByte : std::uint8_t { kNotThere, kPlainText, kTls };
  FirstByte LookAtFirstByte();
  void RefusePlainText();
  void DropRest();
  void Sniff();
  void Become(bool http2, std::string_view received);

  UniqueFd fd_;
  std::unique_ptr<TlsSession> tls_;
  HttpListener& listener_;
  std::string received_;  // a beginning of the preface
  bool looked_ = false;   // at the first byte that came where TLS is spoken
  bool refused_ = false;  // was told so; what still comes is dropped
  std::size_t dropped_byte_size_ = 0;
  TimeoutEntry timeout_{static_cast<Connection*>(this)};
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_PENDING_CONNECTION_H_

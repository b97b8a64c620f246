// A request of the HTTP handlers that came on an HTTP/2 stream.
#ifndef HEADRACE_NET_HTTP2_EXCHANGE_H_
#define HEADRACE_NET_HTTP2_EXCHANGE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/body_block.h"
#include "net/http.h"
#include "net/http2_stream.h"

namespace headrace::net {

class Http2Exchange final : public Http2Stream, public HttpResponder {
 public:
  using Http2Stream::Http2Stream;

  void Begin(Http2Head head, Nanos begun, bool end_stream) override;
  std::size_t OnData(std::string_view bytes) override;
  std::span<char> ReceiveSpace() override;
  void OnEndStream() override;
  // The answer to the request (HttpExchange::Respond).
  void Respond(HttpResponse response) override;
  // The same in pieces (HttpExchange::BeginStream).
  void BeginStream(HttpResponse head) override;
  void SendPiece(Buffer piece) override;
  void EndStream() override;
  void BreakStream() override;
  std::uint64_t unsent_byte_size() const override { return queued_byte_size(); }

 protected:
  void OnClosed() override;
  void OnBodyTimeout() override;

 private:
  // The status that the head is refused with, 0 for none, and why.
  struct Verdict {
    int status = 0;
    std::string_view reason;
  };
  Verdict FillHead(const Http2Head& head);
  void StartBody(const BodyPlan& plan);
  void Fail(int status, std::string_view reason);
  void Send(HttpResponse response);
  // What the request held.
  void ReleaseInput();
  void EndExchange();
  // `length` is the value of Content-Length; nothing: no such field.
  void SubmitHead(const HttpResponse& response, std::optional<std::uint64_t> length, bool end);

  HttpExchangeRef exchange_;  // until it is answered
  BodyBlock body_;
  std::uint64_t body_byte_size_max_ = 0;
  bool receiving_ = false;
  bool head_only_ = false;
  bool streaming_ = false;  // between BeginStream and EndStream
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_EXCHANGE_H_

// What an HTTP handler sees: requests with their bodies in place, and responses as lists of
// buffers.
#ifndef HEADRACE_NET_HTTP_H_
#define HEADRACE_NET_HTTP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"

namespace headrace::net {

class EventLoop;
class HttpExchange;

enum class HttpMethod : std::uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kOptions,
  kPatch,
  kTrace,
  kConnect,
  kOther
};
std::string_view HttpMethodName(HttpMethod method);
// The reason phrase of a status, "Status" for one that is not known.
std::string_view HttpReason(int status);

// Head of one request. Names are compared without case; all strings live as long as the exchange.
struct HttpRequestHead {
  HttpMethod method = HttpMethod::kOther;
  std::string_view target;  // as sent
  std::string_view path;    // target up to '?', raw: not percent-decoded (contracts, Triton 1.1)
  std::string_view query;   // behind '?', raw
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::optional<std::uint64_t> content_length;  // nothing: chunked or no body
  bool chunked = false;
  std::uint64_t peer = 0;  // the host that it came from (peer_key.h); 0: not known

  // The value of the first header of that name (case-insensitive), or nothing.
  std::optional<std::string_view> Header(std::string_view name) const;
  // How many headers carry that name.
  std::size_t HeaderCount(std::string_view name) const;
};

// What the handler wants done with a body, decided before it is read.
struct BodyPlan {
  std::uint64_t byte_size_max = 0;  // beyond it: 413, at once when Content-Length says so
  // The body is placed so that its byte number `aligned_offset` is 64-byte aligned: the first
  // tensor byte behind a JSON head.
  std::uint64_t aligned_offset = 0;
  // A status other than 0 refuses the request before its body is read.
  int refuse_status = 0;
  std::string refuse_json;  // body of the refusal; may be empty
  // Additional header lines of the refusal, each "Name: value\r\n" (Allow, Accept-Encoding).
  std::string refuse_headers;
};

struct HttpResponse {
  int status = 200;
  std::string reason;  // in place of HttpReason(status); without control bytes. HTTP/2 has none
  std::string_view content_type = "application/json";  // static text; empty = no Content-Type line
  // Further complete lines "Name: value\r\n". Values come from a fixed set or were checked for
  // control bytes (D20).
  std::string extra_headers;
  std::vector<Buffer> body;  // sent with one writev behind the head; Content-Length is their sum
  bool close = false;        // close the connection behind it
};

// Where an exchange's answer goes: the connection or stream that its request came on.
class HttpResponder {
 public:
  virtual void Respond(HttpResponse response) = 0;
  virtual void BeginStream(HttpResponse head) = 0;
  virtual void SendPiece(Buffer piece) = 0;
  virtual void EndStream() = 0;
  virtual void BreakStream() = 0;
  virtual std::uint64_t unsent_byte_size() const = 0;

 protected:
  ~HttpResponder() = default;
};

// Hears of the answers of exchanges: what counts them, or logs them. Thread-safe; must not block.
class HttpAnswerObserver {
 public:
  virtual ~HttpAnswerObserver() = default;
  // The answer begins, with this status. On the loop of `exchange`.
  virtual void OnAnswer(const HttpExchange& exchange, int status) = 0;
};

// One request being answered. Shared by the connection and whoever answers; created by the
// connection. Thread-safety: `cancelled` and `loop` from any thread, everything else on the loop's
// thread.
class HttpExchange {
 public:
  HttpExchange(EventLoop& loop, HttpResponder* responder) : loop_(loop), responder_(responder) {}

  const HttpRequestHead& head() const { return head_; }
  // The whole body, placed as planned; at least BlockPool::kPadding readable bytes follow it. Empty
  // for none.
  const Buffer& body() const { return body_; }
  Nanos begun() const { return begun_; }        // when its first byte was there
  Nanos received() const { return received_; }  // when the last byte of the request was there
  // True once the client is known to be gone. Any thread.
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  EventLoop& loop() const { return loop_; }
  std::uint64_t peer() const { return head_.peer; }

  // Borrowed, and outlives the exchange; several hear of the answer in this order. On the loop's
  // thread, before the answer begins.
  void AddObserver(HttpAnswerObserver& observer) { observers_.push_back(&observer); }

  // Complete lines "Name: value\r\n" that the answer has, whoever sends it; checked as those of
  // HttpResponse are. On the loop's thread, before the answer begins.
  void AddHeaders(std::string_view lines) { added_headers_.append(lines); }

  // Sends the answer, exactly once, on the loop's thread (EventLoop::Post gets one there). A no-op
  // if the connection is gone.
  void Respond(HttpResponse response);

  // In place of Respond, an answer whose length nobody knows yet: BeginStream sends the head (its
  // `body` must be empty, its status one that has a body), SendPiece more of the body, EndStream
  // says that this was all. Chunked over HTTP/1.1, up to the close of the connection over HTTP/1.0,
  // DATA frames over HTTP/2. Pieces given in one turn of the loop leave together. On the loop's
  // thread; no-ops once the client is gone, and SendPiece and EndStream before BeginStream too.
  //
  // Nothing here holds a sender back: it looks at unsent_byte_size() and stops where it wants to. A
  // client that takes nothing for the write timeout is cut off, as with Respond.
  void BeginStream(HttpResponse head);
  void SendPiece(Buffer piece);
  void EndStream();
  // In place of EndStream: the rest will not come. The client sees a broken answer: HTTP/1 closes
  // the connection, HTTP/2 resets the stream.
  void BreakStream();
  // Bytes of pieces that the socket, or the peer's window, has not taken yet.
  std::uint64_t unsent_byte_size() const;

 private:
  friend class HttpConnection;
  friend class Http2Exchange;
  void TellObservers(int status);

  EventLoop& loop_;
  HttpResponder* responder_;  // null once the connection is closed
  std::atomic<bool> cancelled_{false};
  HttpRequestHead head_;
  std::string head_bytes_;  // what the views in head_ point into
  std::string added_headers_;
  Buffer body_;
  Nanos begun_ = 0;
  Nanos received_ = 0;
  std::vector<HttpAnswerObserver*> observers_;  // mostly none
};

using HttpExchangeRef = std::shared_ptr<HttpExchange>;

// Implemented by the front end; one object serves all loops, each call comes on the loop of the
// exchange. Must not block.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // The head is complete: authorise, route, say how to take the body. Called for every request,
  // with or without body.
  virtual BodyPlan OnHead(const HttpRequestHead& head) = 0;
  // The request is complete. Answer by exchange->Respond, now or later.
  virtual void OnRequest(HttpExchangeRef exchange) = 0;
};

// Limits and timeouts of a listener (reliability D8, D9, D10).
struct HttpLimits {
  std::size_t request_line_byte_size_max = 8 * 1024;
  std::size_t header_byte_size_max = 32 * 1024;
  std::size_t header_count_max = 100;
  std::size_t header_name_byte_size_max = 255;
  std::size_t chunk_count_max = 65'536;
  std::size_t chunk_extension_byte_size_max = 256;
  Nanos header_timeout = 10 * kSecond;
  Nanos body_idle_timeout = 15 * kSecond;
  Nanos body_rate_grace = 5 * kSecond;  // after it, bodies slower than the floor are cut
  std::size_t body_bytes_per_second_min = 1024;
  Nanos write_idle_timeout = 30 * kSecond;
  Nanos keep_alive_timeout = 75 * kSecond;
  std::uint64_t requests_per_connection_max = 0;  // 0 = no limit
  Nanos connection_age_max = kSecond * 3600;
  std::size_t connection_count_max =
      20'000;  // per listener; beyond it new ones are answered 503 and closed
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP_H_

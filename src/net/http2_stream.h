// One stream of an HTTP/2 connection: what comes in goes to the kind of request that it carries,
// what goes out waits here for flow control.
#ifndef HEADRACE_NET_HTTP2_STREAM_H_
#define HEADRACE_NET_HTTP2_STREAM_H_

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/small_memory.h"
#include "net/gather_output.h"
#include "net/http2_head.h"
#include "net/timeout_list.h"
#include "tensor/buffer.h"

namespace headrace::net {

class Http2Session;
class HttpListener;

// Names and values of a header block to be sent.
using Http2Fields = std::vector<std::pair<std::string, std::string>>;

// A field whose two texts outlive the session.
nghttp2_nv StaticField(std::string_view name, std::string_view value);
// A field that is copied when it is submitted.
nghttp2_nv CopiedField(std::string_view name, std::string_view value);

// Belongs to its session and to whoever answers it. On the loop's thread.
class Http2Stream : public std::enable_shared_from_this<Http2Stream> {
 public:
  Http2Stream(Http2Session& session, std::int32_t id);
  virtual ~Http2Stream();
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;

  std::int32_t id() const { return id_; }

  // Input, from the session. `begun`: when the head began.
  virtual void Begin(Http2Head head, Nanos begun, bool end_stream) = 0;
  // Bytes of the body; the number of those for which the stream's window is not to be given back
  // now (Http2Session::GiveWindowBack).
  virtual std::size_t OnData(std::string_view bytes) = 0;
  // Where the next bytes of the body should be read to; OnData finds them there.
  virtual std::span<char> ReceiveSpace() { return {}; }
  virtual void OnEndStream() = 0;
  // The peer, the connection or a timeout ended the stream; session() is null from here on.
  void Close();
  // The answer is out and the peer has not ended its side: it has the time of a body for that, and
  // is cut short when it sends much more (RFC 9113, 8.1).
  void OnAnswered();
  bool answered() const { return answered_; }
  void OnLateData(std::size_t byte_size);
  // From Http2Timers.
  void OnBodyTimer();
  void OnWriteTimeout();
  // Bytes have left, and what is left has fallen to the mark (WantDrained).
  virtual void OnDrained() {}

  // Output, to the session: what to put into the next DATA frame of at most `byte_size_max`.
  struct Next {
    std::size_t byte_size = 0;
    bool end = false;   // nothing comes behind these bytes
    bool wait = false;  // nothing is there now
  };
  Next NextData(std::size_t byte_size_max);
  // Moves so many bytes into `output`.
  void Take(std::size_t byte_size, GatherOutput& output);
  const Http2Fields& trailers() const { return trailers_; }
  std::span<const nghttp2_nv> fixed_trailers() const { return fixed_trailers_; }

 protected:
  virtual void OnClosed() = 0;
  // The body stands still.
  virtual void OnBodyTimeout() = 0;
  // A stall of what is sent is a matter of the streaming limit.
  virtual bool IsStreaming() const { return false; }

  HttpListener& listener() const { return listener_; }
  // Null once closed.
  Http2Session* session() const { return session_; }
  // Sends a header block; with `end` it is the last of the stream.
  void SubmitHeaders(std::span<const nghttp2_nv> fields, bool end);
  void Queue(std::string_view prefix, const Buffer& buffer);
  // What was queued is the last; `trailers` follow it if there are any.
  void QueueEnd(Http2Fields trailers);
  // The same with trailers that are never dropped (StaticField).
  void QueueEnd(std::span<const nghttp2_nv> trailers);
  // Has the session look at the queue.
  void Wake();
  void Reset(std::uint32_t error_code);
  std::uint64_t queued_byte_size() const { return queued_byte_size_; }
  void set_drained_mark(std::uint64_t mark) { drained_mark_ = mark; }
  void ArmBodyTimeout();
  void DisarmBodyTimeout() { body_timeout_.Disarm(); }

 private:
  void ArmWriteTimeout();

  struct Slice {
    std::array<char, 5> prefix;
    std::uint8_t prefix_byte_size = 0;
    Buffer buffer;
  };

  Http2Session* session_;
  HttpListener& listener_;
  const std::int32_t id_;
  std::vector<Slice, SmallAllocator<Slice>> queue_;
  std::size_t first_ = 0;   // slice that has not left wholly
  std::size_t offset_ = 0;  // bytes of it that have
  std::uint64_t queued_byte_size_ = 0;
  std::uint64_t drained_mark_ = 0;
  std::uint64_t taken_since_armed_ = 0;
  std::uint64_t late_byte_size_ = 0;  // received since the answer was out
  Http2Fields trailers_;
  std::span<const nghttp2_nv> fixed_trailers_;  // in their place
  bool ended_ = false;                          // QueueEnd was called
  bool answered_ = false;                       // and all is out
  bool deferred_ = false;                       // the session waits for Wake
  TimeoutEntry body_timeout_{this};
  TimeoutEntry write_timeout_{this};
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_STREAM_H_

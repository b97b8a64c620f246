// What a gRPC service sees: calls with their messages in place, and answers as lists of buffers.
//
// The transport speaks HTTP/2, frames and (de)compresses messages, keeps deadlines and sends the
// trailers; it knows no protobuf. One GrpcHandler serves all loops; every call of it comes on the
// loop of the GrpcCall and must not block.
//
//   GrpcCallPlan OnCall(const GrpcRequestHead& head) override { ... plan.method = kModelInfer; }
//   void OnMessage(const GrpcCallRef& call, GrpcMessage message) override {
//     call->Send({Encode(message)});       // now or later, on call->loop()
//     call->Finish(OkStatus());
//   }
#ifndef HEADRACE_NET_GRPC_H_
#define HEADRACE_NET_GRPC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/small_memory.h"
#include "base/status.h"
#include "tensor/buffer.h"

namespace headrace::net {

class EventLoop;

// The bytes of one message, in order, without the five-byte prefix and decompressed. A message that
// was received is nearly always one buffer, at least BlockPool::kPadding readable bytes follow its
// end; an empty message has none. Its slices may be kept for as long as they are needed: they hold
// their memory.
using GrpcMessage = std::vector<Buffer>;

// Further response metadata or trailers: lower-case name, value. Names that end in "-bin" take raw
// bytes (the transport encodes them); other values are printable ASCII: what is not is dropped and
// counted.
using GrpcMetadata = std::vector<std::pair<std::string, std::string>>;

// Head of one call. The views live as long as the call.
struct GrpcRequestHead {
  std::string_view path;       // "/package.Service/Method"
  std::string_view authority;  // may be empty
  std::uint64_t peer = 0;      // the host that it came from (peer_key.h); 0: not known
  // All other fields as sent, names in lower case; those that the transport uses itself
  // (grpc-timeout, grpc-encoding, te, content-type, ...) are among them. Values of "-bin" names are
  // valid base64, still encoded.
  std::vector<std::pair<std::string_view, std::string_view>,
              SmallAllocator<std::pair<std::string_view, std::string_view>>>
      metadata;

  // The value of the first field of that name (lower case), or nothing.
  std::optional<std::string_view> Header(std::string_view name) const;
};

enum class GrpcCompressionLevel : std::uint8_t { kNone, kLow, kMedium, kHigh };

class GrpcCall;

// Hears of the ends of calls: what counts them, or logs them. Thread-safe; must not block.
class GrpcCallObserver {
 public:
  virtual ~GrpcCallObserver() = default;
  // `call` ends with `code`; CANCELLED if nobody hears of it. On the call's loop.
  virtual void OnEnd(const GrpcCall& call, StatusCode code) = 0;
};

// What the handler says about a call when its head is there.
struct GrpcCallPlan {
  // Not ok: the call ends with it at once, and the handler hears nothing more of it. UNIMPLEMENTED
  // for a method that there is not.
  Status refusal;
  // Given back as GrpcCall::method(): a number of the handler's own.
  std::uint32_t method = 0;
  // False: the call takes exactly one message, and OnMessage comes when the client has half-closed
  // behind it; OnHalfClose does not come. True: any number of messages, each as it arrives.
  bool streaming = false;
  // Beyond it, compressed or decompressed: RESOURCE_EXHAUSTED. The listener's own limit
  // (GrpcLimits::message_byte_size_max) holds besides.
  std::uint64_t message_byte_size_max = UINT64_MAX;
  // Compresses the answers, when the client accepts gzip or deflate.
  GrpcCompressionLevel response_compression = GrpcCompressionLevel::kNone;
  // OnDrained comes when unsent_byte_size() falls to this or below after it was above.
  std::uint64_t drained_mark = 64 * 1024;
  GrpcCallObserver* observer = nullptr;  // borrowed, and outlives the call
};

// One call. Shared by the transport and whoever answers it. Over once Finish was called or OnCancel
// has come: from then on everything that sends is a no-op, and the handler is not called again.
// Thread-safety: head, method, loop, begun, deadline, peer and cancelled from any thread,
// everything else on the loop's thread (EventLoop::Post gets one there).
class GrpcCall {
 public:
  virtual ~GrpcCall() = default;

  const GrpcRequestHead& head() const { return head_; }
  std::uint32_t method() const { return method_; }
  virtual EventLoop& loop() const = 0;
  Nanos begun() const { return begun_; }        // when its head arrived
  Nanos deadline() const { return deadline_; }  // from grpc-timeout; kNever: none
  std::uint64_t peer() const { return head_.peer; }
  // True once the client has given the call up, its deadline has passed or its connection is gone.
  virtual bool cancelled() const = 0;

  // Sends extra response metadata in front of the first message. Only before the first Send.
  virtual void SendInitialMetadata(GrpcMetadata metadata) = 0;
  // Queues one message. Slices are not copied (small ones may be) and are held until the kernel has
  // them. Never blocks: whoever may send much looks at unsent_byte_size().
  virtual void Send(GrpcMessage message) = 0;
  // Bytes that were sent and that the peer's flow control or its socket has not taken yet.
  virtual std::uint64_t unsent_byte_size() const = 0;
  // Flow control of what the client sends: while paused its window is not given back, and no
  // OnMessage or OnHalfClose comes. Streaming calls only.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
  // Ends the call behind what was sent. Exactly once unless the call was cancelled. A failure
  // before anything was sent makes a trailers-only answer.
  virtual void Finish(Status status, GrpcMetadata trailers = {}) = 0;

  // Whatever the handler wants to keep with the call; dropped with it. Set it in OnMessage or
  // later.
  std::shared_ptr<void> state;

 protected:
  GrpcRequestHead head_;
  std::uint32_t method_ = 0;
  Nanos begun_ = 0;
  Nanos deadline_ = kNever;
};

using GrpcCallRef = std::shared_ptr<GrpcCall>;

// Implemented by the front end. Every call comes on the loop of the call. All may call back into
// the GrpcCall.
class GrpcHandler {
 public:
  virtual ~GrpcHandler() = default;
  // The head is complete: authorise, find the method.
  virtual GrpcCallPlan OnCall(const GrpcRequestHead& head) = 0;
  // A large message begins: which of its bytes should be 64-byte aligned in memory (the first
  // tensor byte)? `begin` is what has arrived of it, `byte_size` its whole length.
  virtual std::uint64_t AlignedOffset(const GrpcRequestHead& head, std::uint32_t method,
                                      std::string_view begin, std::uint64_t byte_size) {
    (void)head, (void)method, (void)begin, (void)byte_size;
    return 0;
  }
  virtual void OnMessage(const GrpcCallRef& call, GrpcMessage message) = 0;
  // The client will send no further message. Streaming calls only.
  virtual void OnHalfClose(const GrpcCallRef& call) = 0;
  // The call ended before Finish: reset by the client, deadline passed (the client has been told),
  // a protocol fault of the client's, or the connection is gone. A call that the handler has heard
  // nothing of since OnCall (a unary one before its message) ends without it.
  virtual void OnCancel(const GrpcCallRef& call) = 0;
  // See GrpcCallPlan::drained_mark.
  virtual void OnDrained(const GrpcCallRef& call) = 0;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_GRPC_H_

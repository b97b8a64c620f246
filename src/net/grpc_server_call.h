// A gRPC call on an HTTP/2 stream: messages out of bytes, bytes out of messages, the deadline, the
// trailers.
#ifndef HEADRACE_NET_GRPC_SERVER_CALL_H_
#define HEADRACE_NET_GRPC_SERVER_CALL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "net/body_block.h"
#include "net/grpc.h"
#include "net/grpc_text.h"
#include "net/http2_stream.h"
#include "net/http2_timers.h"

namespace headrace::net {

class GrpcServerCall final : public Http2Stream, public GrpcCall {
 public:
  GrpcServerCall(Http2Session& session, std::int32_t id);
  ~GrpcServerCall() override;

  // Http2Stream.
  void Begin(Http2Head head, Nanos begun, bool end_stream) override;
  std::size_t OnData(std::string_view bytes) override;
  std::span<char> ReceiveSpace() override;
  void OnEndStream() override;
  void OnDrained() override;

  // GrpcCall.
  EventLoop& loop() const override { return loop_; }
  bool cancelled() const override { return cancelled_.load(std::memory_order_relaxed); }
  void SendInitialMetadata(GrpcMetadata metadata) override;
  void Send(GrpcMessage message) override;
  std::uint64_t unsent_byte_size() const override { return queued_byte_size(); }
  void PauseReading() override;
  void ResumeReading() override;
  void Finish(Status status, GrpcMetadata trailers) override;

 protected:
  void OnClosed() override;
  void OnBodyTimeout() override;
  bool IsStreaming() const override { return plan_.streaming; }

 private:
  class DeadlineTimer final : public Timer {
   public:
    explicit DeadlineTimer(GrpcServerCall& call) : call_(call) {}
    void OnTimer() override { call_.OnDeadline(); }

   private:
    GrpcServerCall& call_;
  };

  GrpcCallRef Self();
  // Why the head cannot be taken.
  Status ReadHead();
  void OnDeadline();
  // The client broke the rules, or a limit: tells the handler and the client.
  void Fail(Status status);
  // Until the end, a pause or a failure; the bytes that were taken.
  std::size_t Parse(std::string_view bytes);
  void Hold(std::string_view bytes);
  void DropHeld(std::size_t taken);
  std::size_t ParsePrefix(std::string_view bytes);
  std::size_t ParseBody(std::string_view bytes);
  void FinishMessage();
  void Deliver(Buffer message);
  void SubmitInitial();
  void End(const Status& status, GrpcMetadata trailers);
  std::uint64_t byte_size_max() const;

  static constexpr std::size_t kPrefixByteSize = 5;

  EventLoop& loop_;
  GrpcHandler& handler_;
  Http2Head fields_;  // what the views of head() point into
  GrpcCallPlan plan_;
  std::atomic<bool> cancelled_{false};
  bool over_ = false;   // the handler hears nothing more, and what it says is not listened to
  bool heard_ = false;  // the handler has had a callback since OnCall
  bool paused_ = false;
  bool resuming_ = false;
  bool half_closed_ = false;
  bool half_close_told_ = false;
  bool initial_sent_ = false;

  GrpcEncoding request_encoding_ = GrpcEncoding::kIdentity;
  GrpcEncoding response_encoding_ = GrpcEncoding::kIdentity;
  std::array<char, kPrefixByteSize> prefix_;
  std::size_t prefix_byte_size_ = 0;  // of the message that is being received
  BodyBlock body_;
  std::optional<Buffer> unary_message_;
  BodyBlock held_;              // what came while reading was paused
  std::size_t held_taken_ = 0;  // bytes of it that were parsed since
  GrpcMetadata initial_metadata_;
  DeadlineTimer deadline_timer_{*this};
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_GRPC_SERVER_CALL_H_

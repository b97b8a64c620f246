// A gRPC service for tests: echoes, holds, floods, as the method's name says.
#ifndef HEADRACE_NET_TESTING_GRPC_ECHO_H_
#define HEADRACE_NET_TESTING_GRPC_ECHO_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "net/event_loop.h"
#include "net/grpc.h"

namespace headrace::net {

// /test.Echo/Unary answers its message, /Stream each of its messages, /Hold nothing until the test
// says so, /Large with as many bytes as the message's decimal number, /Flood without end while the
// client reads, /Paused stops reading at its first message. Others are UNIMPLEMENTED.
class GrpcEcho final : public GrpcHandler {
 public:
  enum Method : std::uint32_t { kUnary, kStream, kHold, kLarge, kFlood, kPaused };

  std::uint64_t message_byte_size_max = UINT64_MAX;
  GrpcCompressionLevel compression = GrpcCompressionLevel::kNone;
  std::uint64_t aligned_offset = 0;
  GrpcCallObserver* observer = nullptr;

  GrpcCallPlan OnCall(const GrpcRequestHead& head) override {
    GrpcCallPlan plan;
    plan.observer = observer;
    plan.message_byte_size_max = message_byte_size_max;
    plan.response_compression = compression;
    if (head.path == "/test.Echo/Unary") {
      plan.method = kUnary;
    } else if (head.path == "/test.Echo/Stream") {
      plan.method = kStream;
      plan.streaming = true;
    } else if (head.path == "/test.Echo/Hold") {
      plan.method = kHold;
    } else if (head.path == "/test.Echo/Large") {
      plan.method = kLarge;
    } else if (head.path == "/test.Echo/Flood") {
      plan.method = kFlood;
      plan.streaming = true;
    } else if (head.path == "/test.Echo/Paused") {
      plan.method = kPaused;
      plan.streaming = true;
    } else {
      plan.refusal = Unimplemented("unknown method {}", head.path);
    }
    return plan;
  }

  std::uint64_t AlignedOffset(const GrpcRequestHead&, std::uint32_t, std::string_view,
                              std::uint64_t) override {
    return aligned_offset;
  }

  void OnMessage(const GrpcCallRef& call, GrpcMessage message) override {
    switch (call->method()) {
      case kStream:
        call->Send(std::move(message));
        break;
      case kHold:
      case kPaused:
        if (call->method() == kPaused) {
          call->PauseReading();
        }
        Keep(call);
        break;
      case kLarge:
        call->Send({Buffer::FromString(std::string(std::stoul(Text(message)), 'L'))});
        call->Finish(OkStatus());
        break;
      case kFlood:
        Fill(call);
        break;
      default:
        call->Send(std::move(message));
        call->Finish(OkStatus(), {{"x-trailer", "t"}, {"x-bin", "\x01\xff"}});
    }
  }
  void OnHalfClose(const GrpcCallRef& call) override {
    if (call->method() != kFlood) {
      call->Finish(OkStatus());
    }
  }
  void OnCancel(const GrpcCallRef& call) override {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(call->method());
    changed_.notify_all();
  }
  void OnDrained(const GrpcCallRef& call) override {
    if (call->method() == kFlood) {
      Fill(call);
    }
  }

  // The next call that is held; waits for it.
  GrpcCallRef WaitHeld() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !held_.empty(); });
    GrpcCallRef call = std::move(held_.front());
    held_.pop_front();
    return call;
  }
  // The method of the next call that was cancelled; waits for it.
  std::uint32_t WaitCancelled() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !cancelled_.empty(); });
    const std::uint32_t method = cancelled_.front();
    cancelled_.pop_front();
    return method;
  }
  std::size_t held_count() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  std::uint64_t flood_unsent_max() {
    const std::lock_guard lock(mutex_);
    return flood_unsent_max_;
  }
  static std::string Text(const GrpcMessage& message) {
    std::string text;
    for (const Buffer& buffer : message) {
      text += buffer.view();
    }
    return text;
  }

 private:
  void Keep(const GrpcCallRef& call) {
    const std::lock_guard lock(mutex_);
    held_.push_back(call);
    changed_.notify_all();
  }
  void Fill(const GrpcCallRef& call) {
    while (!call->cancelled() && call->unsent_byte_size() < 256 * 1024) {
      call->Send({Buffer::FromString(std::string(10'000, 'F'))});
    }
    const std::lock_guard lock(mutex_);
    flood_unsent_max_ = std::max(flood_unsent_max_, call->unsent_byte_size());
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<GrpcCallRef> held_;
  std::deque<std::uint32_t> cancelled_;
  std::uint64_t flood_unsent_max_ = 0;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_TESTING_GRPC_ECHO_H_

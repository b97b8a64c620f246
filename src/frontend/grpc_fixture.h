// The gRPC half of the front end over a transport that is made of variables, for the tests of this
// folder.
#ifndef HEADRACE_FRONTEND_GRPC_FIXTURE_H_
#define HEADRACE_FRONTEND_GRPC_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "frontend/front_end_with_fakes.h"
#include "frontend/grpc_messages.h"
#include "net/event_loop.h"
#include "net/grpc.h"

namespace headrace::frontend {

// A call that keeps what it is given. What the handler may call is the loop's; what the test asks
// is for any thread.
class FakeGrpcCall final : public net::GrpcCall {
 public:
  FakeGrpcCall(net::EventLoop& event_loop, std::string call_path, std::uint32_t number,
               std::vector<std::pair<std::string, std::string>> metadata)
      : loop_(event_loop), path_(std::move(call_path)), metadata_(std::move(metadata)) {
    head_.path = path_;
    for (const auto& [name, value] : metadata_) {
      head_.metadata.emplace_back(name, value);
    }
    method_ = number;
  }

  net::EventLoop& loop() const override { return loop_; }
  bool cancelled() const override { return cancelled_.load(); }
  void SendInitialMetadata(net::GrpcMetadata) override {}
  void Send(net::GrpcMessage message) override {
    std::string bytes;
    for (const Buffer& slice : message) {
      bytes.append(slice.view());
    }
    std::lock_guard lock(mutex_);
    unsent_ += count_unsent_ ? bytes.size() : 0;
    messages_.push_back(std::move(bytes));
    changed_.notify_all();
  }
  std::uint64_t unsent_byte_size() const override {
    std::lock_guard lock(mutex_);
    return unsent_;
  }
  void PauseReading() override { SetPaused(true); }
  void ResumeReading() override { SetPaused(false); }
  void Finish(Status status, net::GrpcMetadata) override {
    std::lock_guard lock(mutex_);
    EXPECT_FALSE(status_.has_value()) << "ended twice";
    status_ = std::move(status);
    changed_.notify_all();
  }

  // From now on nothing that is sent is taken by the peer.
  void StopTaking() {
    std::lock_guard lock(mutex_);
    count_unsent_ = true;
  }
  void TakeAll() {
    std::lock_guard lock(mutex_);
    count_unsent_ = false;
    unsent_ = 0;
  }
  void Cancel() { cancelled_.store(true); }

  // Waits for the end of the call; the test fails if it does not come.
  Status WaitStatus() {
    std::unique_lock lock(mutex_);
    const bool ended =
        changed_.wait_for(lock, std::chrono::seconds(20), [this] { return status_.has_value(); });
    return ended ? *status_ : Internal("the call did not end");
  }
  std::vector<std::string> WaitMessages(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20),
                      [&] { return messages_.size() >= count || status_.has_value(); });
    return messages_;
  }
  bool WaitPaused(bool paused) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return paused_ == paused; });
  }
  bool ended() const {
    std::lock_guard lock(mutex_);
    return status_.has_value();
  }

 private:
  void SetPaused(bool paused) {
    std::lock_guard lock(mutex_);
    EXPECT_NE(paused_, paused);
    paused_ = paused;
    changed_.notify_all();
  }

  net::EventLoop& loop_;
  const std::string path_;
  const std::vector<std::pair<std::string, std::string>> metadata_;
  std::atomic<bool> cancelled_{false};
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::string> messages_;
  std::optional<Status> status_;
  std::uint64_t unsent_ = 0;
  bool count_unsent_ = false;
  bool paused_ = false;
};

class GrpcFixture : public FrontEndWithFakes {
 protected:
  using Metadata = std::vector<std::pair<std::string, std::string>>;

  explicit GrpcFixture(FrontEndOptions options = {})
      : FrontEndWithFakes(std::move(options)),
        handler_(front_end_.grpc_handler()),
        loop_("grpc_test", -1, pool_, Clock::Real()) {
    HEADRACE_CHECK(loop_.Start().ok());
  }

  ~GrpcFixture() override {
    DrainModels();
    loop_.Stop();
  }

  // Runs `function` on the loop and waits for it.
  void OnLoop(std::function<void()> function) {
    std::promise<void> done;
    loop_.PostFunction([&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }

  static std::string PathOf(const std::string& method) {
    return method.front() == '/' ? method : "/inference.GRPCInferenceService/" + method;
  }

  // Opens a call; null, with its reason in `refusal`, if it is refused.
  std::shared_ptr<FakeGrpcCall> Open(const std::string& method, Status* refusal = nullptr,
                                     Metadata metadata = {}) {
    std::shared_ptr<FakeGrpcCall> call;
    OnLoop([&] {
      const std::string path = PathOf(method);
      net::GrpcRequestHead head;
      head.path = path;
      const net::GrpcCallPlan plan = handler_.OnCall(head);
      if (plan.refusal.ok()) {
        call = std::make_shared<FakeGrpcCall>(loop_, path, plan.method, std::move(metadata));
        calls_.push_back(call);
      } else if (refusal != nullptr) {
        *refusal = plan.refusal;
      }
    });
    return call;
  }

  void Send(const std::shared_ptr<FakeGrpcCall>& call, std::string bytes) {
    OnLoop([&] {
      net::GrpcMessage message;
      if (!bytes.empty()) {
        message.push_back(Buffer::FromString(std::move(bytes)));
      }
      handler_.OnMessage(call, std::move(message));
    });
  }
  void Send(const std::shared_ptr<FakeGrpcCall>& call, const google::protobuf::Message& message) {
    Send(call, message.SerializeAsString());
  }
  void HalfClose(const std::shared_ptr<FakeGrpcCall>& call) {
    OnLoop([&] { handler_.OnHalfClose(call); });
  }
  void Cancel(const std::shared_ptr<FakeGrpcCall>& call) {
    OnLoop([&] {
      call->Cancel();
      handler_.OnCancel(call);
    });
  }
  void Drained(const std::shared_ptr<FakeGrpcCall>& call) {
    OnLoop([&] {
      call->TakeAll();
      handler_.OnDrained(call);
    });
  }

  // One unary call from begin to end.
  template <typename Response>
  Result<Response> Unary(const std::string& method, const google::protobuf::Message& request,
                         Metadata metadata = {}) {
    return UnaryBytes<Response>(method, request.SerializeAsString(), std::move(metadata));
  }
  template <typename Response>
  Result<Response> UnaryBytes(const std::string& method, std::string bytes,
                              Metadata metadata = {}) {
    Status refusal;
    const auto call = Open(method, &refusal, std::move(metadata));
    if (call == nullptr) {
      return refusal;
    }
    Send(call, std::move(bytes));
    HEADRACE_RETURN_IF_ERROR(call->WaitStatus());
    const std::vector<std::string> messages = call->WaitMessages(1);
    Response response;
    HEADRACE_CHECK(messages.size() == 1 && response.ParseFromString(messages[0]));
    return response;
  }

  // A request of `model` with INPUT0 of FP32.
  static inference::ModelInferRequest InferRequest(const std::string& model, const std::string& id,
                                                   std::vector<float> values = {1, 2}) {
    inference::ModelInferRequest request;
    request.set_model_name(model);
    request.set_id(id);
    auto& input = *request.add_inputs();
    input.set_name("INPUT0");
    input.set_datatype("FP32");
    input.add_shape(1);
    input.add_shape(static_cast<std::int64_t>(values.size()));
    request.add_raw_input_contents(
        std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
    return request;
  }

  net::GrpcHandler& handler_;
  net::EventLoop loop_;

 private:
  std::vector<std::shared_ptr<FakeGrpcCall>> calls_;  // as a transport keeps those that go on
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_FIXTURE_H_

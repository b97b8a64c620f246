// Fakes of what lies around the engine: a sink that records, and a model whose instances run a
// function.
#ifndef HEADRACE_ENGINE_TESTING_FAKE_BACKEND_H_
#define HEADRACE_ENGINE_TESTING_FAKE_BACKEND_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend.h"
#include "engine/model.h"
#include "engine/request.h"
#include "engine/response_sink.h"

namespace headrace::engine::testing {

// What became of one request. Shared by the test and the sink. Thread-safe.
class Answer {
 public:
  void Sent() {
    std::lock_guard lock(mutex_);
    ++responses_;
  }
  void Ended(Status status) {
    std::lock_guard lock(mutex_);
    ++ends_;
    status_ = std::move(status);
    changed_.notify_all();
  }
  // Blocks until the request has ended.
  Status Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ends_ > 0; });
    return status_;
  }
  int ends() const {
    std::lock_guard lock(mutex_);
    return ends_;
  }
  int responses() const {
    std::lock_guard lock(mutex_);
    return responses_;
  }
  void Cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int ends_ = 0;
  int responses_ = 0;
  Status status_;
  std::atomic<bool> cancelled_{false};
};

class FakeSink final : public ResponseSink {
 public:
  using Hook = std::function<void(const Status&)>;
  explicit FakeSink(std::shared_ptr<Answer> answer, Hook on_finish = nullptr)
      : answer_(std::move(answer)), on_finish_(std::move(on_finish)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("the fake sink has no memory");
  }
  void Send(InferResponse) override { answer_->Sent(); }
  void Finish(Status status) override {
    if (on_finish_) {
      on_finish_(status);
    }
    answer_->Ended(std::move(status));
  }
  bool Cancelled() const override { return answer_->cancelled(); }

 private:
  const std::shared_ptr<Answer> answer_;
  const Hook on_finish_;
};

// Opens once; whoever waits goes on then.
class Latch {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;  // guards open_
  std::condition_variable opened_;
  bool open_ = false;
};

// Answers every request of the batch.
inline void AnswerAll(Batch batch) {
  for (auto& request : batch.requests) {
    request->Send({});
    request->Finish(OkStatus());
  }
}

class FakeInstance final : public Instance {
 public:
  explicit FakeInstance(std::function<void(Batch)> execute,
                        std::function<void()> on_destroy = nullptr)
      : execute_(std::move(execute)), on_destroy_(std::move(on_destroy)) {}
  ~FakeInstance() override {
    if (on_destroy_) {
      on_destroy_();
    }
  }
  void Execute(Batch batch) override { execute_(std::move(batch)); }

 private:
  const std::function<void(Batch)> execute_;
  const std::function<void()> on_destroy_;
};

// Makes FakeInstances that all run `execute`.
class FakeModel final : public LoadedModel {
 public:
  explicit FakeModel(std::function<void(Batch)> execute = &AnswerAll)
      : execute_(std::move(execute)) {}
  ~FakeModel() override {
    if (on_destroy) {
      on_destroy();
    }
  }

  void SetFinalConfig(std::string) override {}
  Result<std::unique_ptr<Instance>> CreateInstance(const InstancePlacement& placement) override {
    if (placement.name == fail_instance) {
      return Internal("instance {} does not start", placement.name);
    }
    return std::unique_ptr<Instance>(std::make_unique<FakeInstance>(execute_, on_instance_destroy));
  }
  bool ParallelInstanceLoading() const override { return parallel; }

  bool parallel = false;
  std::string fail_instance;
  std::function<void()> on_destroy;
  std::function<void()> on_instance_destroy;

 private:
  const std::function<void(Batch)> execute_;
};

// Options of a model that takes one FP32 input X of one element, and has `instances` of them.
inline ModelOptions SmallModel(int instances = 1) {
  ModelOptions options;
  options.name = "small";
  options.signature.batch_size_max = 8;
  options.signature.inputs.push_back({.name = "X", .dtype = DataType::kFp32, .dims = Shape{1}});
  options.signature.outputs.push_back({.name = "Y", .dtype = DataType::kFp32, .dims = Shape{1}});
  options.batching = {.dynamic = true, .batch_size_max = 8};
  for (int i = 0; i < instances; ++i) {
    options.placements.push_back({.name = "group_" + std::to_string(i)});
  }
  return options;
}

inline NamedTensor Fp32Input(std::string name, Shape shape) {
  static constexpr std::string_view kZeros(
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
  const auto byte_size = static_cast<std::size_t>(*shape.ElementCount()) * sizeof(float);
  Buffer data = byte_size <= kZeros.size() ? Buffer::Unowned(kZeros.substr(0, byte_size))
                                           : Buffer::FromString(std::string(byte_size, '\0'));
  NamedTensor input{.name = std::move(name), .tensor = {}};
  input.tensor.dtype = DataType::kFp32;
  input.tensor.shape = shape;
  input.tensor.data = std::move(data);
  return input;
}

// A valid request for SmallModel.
inline std::unique_ptr<InferRequest> SmallRequest(ModelHandle model, std::shared_ptr<Answer> answer,
                                                  std::int64_t batch_size = 1) {
  auto request = std::make_unique<InferRequest>(std::move(model),
                                                std::make_unique<FakeSink>(std::move(answer)));
  request->inputs.push_back(Fp32Input("X", Shape{batch_size, 1}));
  return request;
}

}  // namespace headrace::engine::testing

#endif  // HEADRACE_ENGINE_TESTING_FAKE_BACKEND_H_

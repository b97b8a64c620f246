#include "engine/warmup.h"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>

#include "engine/validate.h"

namespace headrace::engine {
namespace {

// Counts down the requests of one execution, and keeps the first failure.
class Outcome {
 public:
  explicit Outcome(std::size_t request_count) : left_(request_count) {}
  void Ended(Status status) {
    std::lock_guard lock(mutex_);
    if (!status.ok() && status_.ok()) {
      status_ = std::move(status);
    }
    if (--left_ == 0) {
      all_ended_.notify_all();
    }
  }
  Status Wait() {
    std::unique_lock lock(mutex_);
    all_ended_.wait(lock, [this] { return left_ == 0; });
    return status_;
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::condition_variable all_ended_;
  std::size_t left_;
  Status status_;
};

// Drops what the model answers.
class WarmupSink final : public ResponseSink {
 public:
  WarmupSink(std::shared_ptr<Outcome> outcome, BlockPool& pool)
      : outcome_(std::move(outcome)), pool_(pool) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return pool_.Allocate(byte_size);
  }
  void Send(InferResponse) override {}
  void Finish(Status status) override { outcome_->Ended(std::move(status)); }
  bool Cancelled() const override { return false; }

 private:
  const std::shared_ptr<Outcome> outcome_;
  BlockPool& pool_;
};

Status RunOnce(const WarmupSample& sample, Instance& instance, const ModelHandle& model,
               const Clock& clock, BlockPool& pool) {
  const auto outcome = std::make_shared<Outcome>(sample.request_count);
  Batch batch{.requests = {}, .formed = clock.Now()};
  Status invalid;
  for (std::uint32_t i = 0; i < sample.request_count; ++i) {
    auto request =
        std::make_unique<InferRequest>(model, std::make_unique<WarmupSink>(outcome, pool));
    request->inputs = sample.inputs;
    request->times = {.received = batch.formed, .queued = batch.formed, .executing = batch.formed};
    invalid = ValidateRequest(model->signature(), model->name(), *request);
    if (!invalid.ok()) {
      break;
    }
    model->statistics().RecordReceived();
    request->submitted = true;
    batch.requests.push_back(std::move(request));
  }
  if (!invalid.ok()) {
    for (auto& request : batch.requests) {
      request->Finish(invalid);
    }
    return invalid;
  }
  try {
    instance.Execute(std::move(batch));
  } catch (const std::exception& error) {
    return Internal("the backend threw: {}", error.what());
  }
  return outcome->Wait();
}

}  // namespace

Status Warmup::Run(Instance& instance, const ModelHandle& model, const Clock& clock) const {
  for (const WarmupSample& sample : samples_) {
    for (std::uint32_t i = 0; i < sample.count; ++i) {
      const Status status = RunOnce(sample, instance, model, clock, pool_);
      if (!status.ok()) {
        return Status(status.code(), fmt::format("failed to run warmup sample '{}': {}; ",
                                                 sample.name, status.message()));
      }
    }
  }
  return OkStatus();
}

}  // namespace headrace::engine

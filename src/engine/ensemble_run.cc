#include "engine/ensemble_run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "base/wake_batch.h"
#include "engine/model.h"

namespace headrace::engine {
namespace {

// How often a thread that waits for room looks whether the client has gone.
constexpr auto kCancelLookInterval = std::chrono::milliseconds(20);

}  // namespace

// What the steps' executions took. Recorded as the ensemble's when the last step has reported
// (contracts, Triton 4.6: no queue time, compute times are sums).
class EnsembleRun::Times final : public ExecutionObserver {
 public:
  Times(ModelHandle model, std::int64_t batch_size, std::shared_ptr<ExecutionObserver> outer)
      : model_(std::move(model)),
        batch_size_(static_cast<std::uint64_t>(batch_size)),
        outer_(std::move(outer)) {}
  ~Times() override {
    if (!succeeded_) {
      return;
    }
    ExecutionTimes sum;
    sum.compute_start = input_;
    sum.compute_end = sum.compute_start + infer_;
    sum.exec_end = sum.compute_end + output_;
    if (model_ != nullptr) {
      model_->statistics().RecordRequestExecution(true, 0, sum, batch_size_);
      model_->statistics().RecordBatchExecution(batch_size_, sum);
    }
    if (outer_ != nullptr) {
      outer_->OnExecution(sum);
    }
  }
  void OnExecution(const ExecutionTimes& times) override {
    input_ += std::max<Nanos>(0, times.compute_start - times.exec_start);
    infer_ += std::max<Nanos>(0, times.compute_end - times.compute_start);
    output_ += std::max<Nanos>(0, times.exec_end - times.compute_end);
  }
  void SetSucceeded() { succeeded_ = true; }

 private:
  const ModelHandle model_;
  const std::uint64_t batch_size_;
  const std::shared_ptr<ExecutionObserver> outer_;
  std::atomic<Nanos> input_{0}, infer_{0}, output_{0};
  std::atomic<bool> succeeded_{false};
};

// Where the responses of one execution of one step go.
class EnsembleRun::StepSink final : public ResponseSink {
 public:
  StepSink(std::shared_ptr<EnsembleRun> run, std::size_t step, std::uint64_t iteration)
      : run_(std::move(run)), step_(step), iteration_(iteration) {}

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return run_->pool_.Allocate(byte_size);
  }
  void Send(InferResponse response) override {
    if (++response_count_ == 1 || run_->plan_.steps[step_].decoupled) {
      run_->OnResponse(step_, iteration_, std::move(response));
    }
  }
  void Finish(Status status) override {
    if (status.ok() && response_count_ > 1 && !run_->plan_.steps[step_].decoupled) {
      status = Internal("model '{}' gave {} responses where one is expected",
                        run_->plan_.steps[step_].model, response_count_);
    }
    run_->OnEnd(step_, std::move(status));
  }
  bool Cancelled() const override { return run_->Cancelled(); }

 private:
  const std::shared_ptr<EnsembleRun> run_;
  const std::size_t step_;
  const std::uint64_t iteration_;
  std::size_t response_count_ = 0;
};

void EnsembleRun::Start(const EnsemblePlan& plan, BlockPool& pool,
                        std::unique_ptr<InferRequest> request,
                        std::shared_ptr<const EnsemblePins> pins) {
  std::vector<NamedTensor> inputs = std::move(request->inputs);
  request->inputs.clear();
  const auto run =
      std::make_shared<EnsembleRun>(Private(), plan, pool, std::move(request), std::move(pins));
  Lock lock(run->mutex_);
  run->state_.Begin(std::move(inputs));
  run->Pump(std::move(lock));
}

EnsembleRun::EnsembleRun(Private, const EnsemblePlan& plan, BlockPool& pool,
                         std::unique_ptr<InferRequest> request,
                         std::shared_ptr<const EnsemblePins> pins)
    : plan_(plan),
      pool_(pool),
      request_(std::move(request)),
      model_(request_->model()),
      pins_(std::move(pins)),
      times_(std::make_shared<Times>(model_, request_->batch_size, request_->observer)),
      state_(plan, request_->wanted_outputs),
      running_(plan.steps.size()) {}

void EnsembleRun::OnResponse(std::size_t step, std::uint64_t iteration, InferResponse response) {
  Lock lock(mutex_);
  if (plan_.inflight_max > 0 && plan_.steps[step].decoupled) {
    WaitForRoom(lock, step);
  }
  if (ended_ || !failure_.ok()) {
    return;
  }
  // A decoupled step may go on behind an error; what lies behind the step could not.
  if (!response.error.ok()) {
    failure_ = response.error.WithPrefix(fmt::format("in ensemble '{}', ", plan_.name));
    Pump(std::move(lock));
    return;
  }
  state_.Accept(step, iteration, std::move(response));
  Pump(std::move(lock));
}

void EnsembleRun::OnEnd(std::size_t step, Status status) {
  Lock lock(mutex_);
  --running_[step];
  --running_total_;
  changed_.notify_all();
  if (!status.ok() && failure_.ok()) {
    failure_ = status.WithPrefix(fmt::format("in ensemble '{}', ", plan_.name));
  }
  Pump(std::move(lock));
}

bool EnsembleRun::Cancelled() {
  Lock lock(mutex_);
  return ended_ || request_->Cancelled();
}

void EnsembleRun::Pump(Lock lock) {
  if (pumping_.has_value()) {
    return;
  }
  // The last sink may go on the way.
  const std::shared_ptr<EnsembleRun> self = shared_from_this();
  pumping_ = std::this_thread::get_id();
  while (!ended_ && DoOne(lock)) {
  }
  pumping_.reset();
  // Before `self` goes.
  lock.unlock();
}

bool EnsembleRun::DoOne(Lock& lock) {
  if (state_.has_response()) {
    InferResponse response = state_.TakeResponse();
    lock.unlock();
    const ModelSignature& signature = model_->signature();
    for (NamedTensor& output : response.outputs) {
      if (const TensorSpec* spec = signature.FindOutput(output.name)) {
        output.tensor.shape = AdaptShape(*spec, signature.batch_size_max > 0, output.tensor.shape);
      }
    }
    request_->Send(std::move(response));
    lock.lock();
    return true;
  }
  if (!failure_.ok()) {
    const bool cancelled = failure_.code() == StatusCode::kCancelled;
    End(lock, failure_, cancelled ? FailureReason::kCanceled : FailureReason::kOther);
    return false;
  }
  if (state_.has_ready()) {
    EnsembleState::Start start = state_.TakeReady();
    ++running_[start.step];
    ++running_total_;
    lock.unlock();
    Submit(std::move(start));
    lock.lock();
    return true;
  }
  if (running_total_ == 0) {
    const bool complete = state_.complete();
    if (complete) {
      times_->SetSucceeded();
    }
    End(lock, complete ? OkStatus() : Deadlock(), FailureReason::kOther);
  }
  return false;
}

void EnsembleRun::Submit(EnsembleState::Start start) {
  const EnsemblePins::Part& part = pins_->step(start.step);
  auto step = std::make_unique<InferRequest>(
      part.model, std::make_unique<StepSink>(shared_from_this(), start.step, start.iteration));
  const ModelSignature& signature = part.model->signature();
  for (NamedTensor& input : start.inputs) {
    if (const TensorSpec* spec = signature.FindInput(input.name)) {
      input.tensor.shape = AdaptShape(*spec, signature.batch_size_max > 0, input.tensor.shape);
    }
  }
  step->inputs = std::move(start.inputs);
  step->wanted_outputs = state_.WantedOutputs(start.step);
  step->id = request_->id;
  step->parameters = request_->parameters;
  step->priority = request_->priority;
  step->timeout_us = request_->timeout_us;
  step->correlation_id = request_->correlation_id;
  step->correlation_id_text = request_->correlation_id_text;
  step->sequence_flags = request_->sequence_flags;
  step->client = request_->client;
  step->deadline = request_->deadline;
  step->observer = times_;
  if (request_->trace != nullptr) {
    step->trace = request_->trace->SpawnChild();
  }
  part.model->SubmitPinned(std::move(step), part.inner);
}

void EnsembleRun::End(Lock& lock, Status status, FailureReason reason) {
  ended_ = true;
  times_.reset();  // the steps' requests have their own
  changed_.notify_all();
  lock.unlock();
  request_->Finish(std::move(status), reason);
  lock.lock();
}

void EnsembleRun::WaitForRoom(Lock& lock, std::size_t step) {
  // A response that comes while this thread submits the step: nobody else would submit the others.
  if (pumping_ == std::this_thread::get_id()) {
    return;
  }
  bool first = true;
  while (!ended_ && failure_.ok() && !HasRoom(step) && !request_->Cancelled()) {
    if (std::exchange(first, false)) {
      // Those that are waited for may not have been woken yet.
      lock.unlock();
      WakeBatch::FlushCurrent();
      lock.lock();
      continue;
    }
    changed_.wait_for(lock, kCancelLookInterval);
  }
}

bool EnsembleRun::HasRoom(std::size_t step) const {
  for (const auto& output : plan_.steps[step].outputs) {
    for (const std::size_t reader : plan_.tensors[output.tensor].readers) {
      if (running_[reader] + state_.ready_count(reader) >= plan_.inflight_max) {
        return false;
      }
    }
  }
  return true;
}

Status EnsembleRun::Deadlock() const {
  return InvalidArgument(
      "in ensemble '{}', [request id: {}] unexpected deadlock, at least one output is not set "
      "while no more ensemble steps can be made",
      plan_.name, request_->id.empty() ? "<id_unknown>" : request_->id);
}

}  // namespace headrace::engine

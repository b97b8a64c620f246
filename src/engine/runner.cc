#include "engine/runner.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <exception>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/thread.h"
#include "base/wake_batch.h"

namespace headrace::engine {
namespace {

// Executions below this leave their wake-ups to the end of a row of such executions: a wake-up can
// cost more than they do.
constexpr Nanos kShortExecution = 20 * kMicrosecond;
// A row's wake-ups wait no longer than this and one execution.
constexpr Nanos kWakeDelayMax = 50 * kMicrosecond;

void TraceInputs(InferRequest& request) {
  if (request.trace->WantsTensors()) {
    for (const NamedTensor& input : request.inputs) {
      request.trace->ReportTensor(TraceActivity::kTensorBackendInput, input.name, input.tensor);
    }
  }
}

}  // namespace

Model::Runner::Runner(Placed placed, Target target, std::unique_ptr<RateLimiter::Seat> turns)
    : instance_(std::move(placed.instance)),
      placement_(std::move(placed.placement)),
      lease_(std::move(placed.lease)),
      target_(std::move(target)),
      turns_(std::move(turns)),
      retry_(target_.batch_retry_credit, *target_.statistics) {
  if (target_.ahead != nullptr && turns_ == nullptr) {
    pipelined_ = dynamic_cast<PipelinedInstance*>(instance_.get());
  }
}

Model::Runner::~Runner() {
  if (thread_.joinable()) {
    thread_.join();
  }
  if (health_ != nullptr) {
    health_->Leave();
  }
}

void Model::Runner::Start(std::string name) {
  seat_ = target_.queue->AddSeat();
  health_ = target_.health->Join(placement_.name);
  health_->SetReport(dynamic_cast<const SelfReport*>(instance_.get()));
  instance_->WatchHealth([seat = health_](const InstanceHealth& health) { seat->Set(health); });
  thread_ = std::thread([this, name = std::move(name)] {
    SetThreadName(name);
    BindThread(lease_.binding());
    Run();
    if (health_->left()) {
      instance_.reset();
      lease_.Release();
      ended_.store(true, std::memory_order_release);
    }
  });
}

InstanceFacts Model::Runner::Facts() const {
  return {.name = placement_.name,
          .on_gpu = placement_.kind == InstanceKind::kGpu,
          .device_id = placement_.device_id,
          .health = health_ != nullptr ? health_->health() : InstanceHealth(),
          .process = instance_->Process()};
}

void Model::Runner::Retire() {
  if (health_ != nullptr) {
    health_->Leave();
  }
  if (!thread_.joinable()) {
    instance_.reset();
    lease_.Release();
    ended_.store(true, std::memory_order_release);
  }
}

void Model::Runner::Run() {
  // Real time: what it bounds is how long real clients wait.
  const Clock& clock = Clock::Real();
  WakeBatch wakes;  // PopBatch flushes it before it parks the thread
  wakes.SetGathering(false);
  Nanos row_start = 0;
  for (;;) {
    std::optional<Batch> batch = target_.queue->PopBatch(seat_, health_->halted());
    if (!batch) {
      if (health_->WaitUntilReady()) {
        continue;
      }
      return;
    }
    const Nanos start = clock.Now();
    if (wakes.empty()) {
      row_start = start;
    } else if (start - row_start > kWakeDelayMax) {
      wakes.Flush();
      row_start = start;
    }
    if (const auto observer = target_.observer->Get()) {
      ExecuteObserved(*std::move(batch), *observer);
    } else {
      Execute(*std::move(batch));
    }
    wakes.SetGathering(clock.Now() - start < kShortExecution);
  }
}

std::optional<Batch> Model::Runner::TryNext() {
  if (health_->halted()->load(std::memory_order_relaxed) || !target_.health->has_one_seat()) {
    return std::nullopt;
  }
  std::optional<Batch> batch = target_.ahead->PopAhead();
  if (batch) {
    Announce(*batch);
  }
  return batch;
}

void Model::Runner::Announce(const Batch& batch) {
  std::uint64_t batch_size = 0;
  for (const auto& request : batch.requests) {
    request->times.executing = batch.formed;
    if (request->trace != nullptr) {
      request->trace->Report(TraceActivity::kQueueStart, request->times.queued);
      TraceInputs(*request);
    }
    batch_size += static_cast<std::uint64_t>(request->batch_size);
  }
  target_.statistics->RecordBatchFormed(batch_size,
                                        batch.formed - batch.requests.front()->times.queued);
}

void Model::Runner::ExecuteObserved(Batch batch, BatchObserver& observer) {
  std::vector<ObservedBatch::Request> requests;
  requests.reserve(batch.requests.size());
  for (const auto& request : batch.requests) {
    requests.push_back({.received = request->times.received,
                        .queued = request->times.queued,
                        .batch_size = request->batch_size});
  }
  ObservedBatch observed{.instance = placement_.name,
                         .thread_id = syscall(SYS_gettid),
                         .formed = batch.formed,
                         .started = Clock::Real().Now(),
                         .requests = requests};
  Execute(std::move(batch));
  observed.ended = Clock::Real().Now();
  observer.OnBatch(observed);
}

void Model::Runner::Execute(Batch batch) {
  Announce(batch);
  if (turns_ != nullptr) {
    turns_->Acquire();
  }
  // The root of the thread: a backend that throws loses its batch, whose requests end with INTERNAL
  // as they are destroyed.
  try {
    retry_.Run(std::move(batch), [this](Batch part) {
      if (pipelined_ != nullptr) {
        pipelined_->ExecuteRow(std::move(part), *this);
      } else {
        instance_->Execute(std::move(part));
      }
    });
  } catch (const std::exception& error) {
    HEADRACE_LOG_ERROR("an instance of model '{}' threw while it executed a batch: {}",
                       target_.model_name, error.what());
  } catch (...) {
    HEADRACE_LOG_ERROR("an instance of model '{}' threw while it executed a batch",
                       target_.model_name);
  }
  if (turns_ != nullptr) {
    turns_->Release(!health_->left() && target_.queue->depth() > 0);
  }
}

}  // namespace headrace::engine

#include "engine/request_queue.h"

#include <mutex>
#include <utility>

#include "base/check.h"
#include "engine/parker.h"
#include "engine/queue_core.h"
#include "engine/runner_lot.h"

namespace headrace::engine {
namespace {

struct ParkedThread : RunnerLot::Parked {
  Parker parker;
};

void Wake(RunnerLot::Parked* runner) {
  if (runner != nullptr) {
    static_cast<ParkedThread*>(runner)->parker.Unpark();
  }
}

std::string_view IdOf(const InferRequest& request) {
  return request.id.empty() ? std::string_view("<id_unknown>") : std::string_view(request.id);
}

void Refuse(InferRequest& request, QueueCore::PushResult why) {
  if (why == QueueCore::PushResult::kClosed) {
    request.Finish(Unavailable(
        "[request id: {}] the model is being unloaded and takes no new requests", IdOf(request)));
    return;
  }
  request.Finish(Unavailable("[request id: {}] Exceeds maximum queue size", IdOf(request)),
                 FailureReason::kRejected);
}

void FinishDropped(QueueCore::RequestList& dropped) {
  if (dropped.empty()) {
    return;
  }
  for (const auto& request : Take(dropped)) {
    if (request->Cancelled()) {
      request->Finish(Cancelled("[request id: {}] the client has gone before the execution began",
                                IdOf(*request)),
                      FailureReason::kCanceled);
    } else {
      request->Finish(
          DeadlineExceeded("[request id: {}] the deadline passed in the queue", IdOf(*request)),
          FailureReason::kRejected);
    }
  }
}

}  // namespace

class RequestQueue::Impl {
 public:
  Impl(BatchPolicyOptions policy, QueueLimits limits, const Clock& clock)
      : clock_(clock), core_(std::move(policy), limits) {}
  ~Impl() { HEADRACE_CHECK(core_.closed() || core_.empty()); }

  void Push(std::unique_ptr<InferRequest> request) {
    const Nanos now = clock_.Now();
    RunnerLot::Parked* woken = nullptr;
    QueueCore::PushResult result;
    {
      std::lock_guard lock(mutex_);
      result = core_.Push(request, now);
      if (result == QueueCore::PushResult::kAccepted) {
        woken = lot_.Choose(core_, now);
      }
    }
    Wake(woken);
    if (result != QueueCore::PushResult::kAccepted) {
      Refuse(*request, result);
    }
  }

  std::optional<Batch> PopBatch() {
    ParkedThread self;
    bool woken = false;
    for (;;) {
      QueueCore::Popped popped;
      RunnerLot::Parked* next = nullptr;
      Nanos sleep_until = kNever;
      const Nanos now = clock_.Now();
      {
        std::lock_guard lock(mutex_);
        if (std::exchange(woken, false)) {
          lot_.Arrived();
        }
        core_.TryPop(now, popped);
        if (!popped.batch.empty() || !popped.dropped.empty()) {
          next = lot_.Choose(core_, now);
        } else if (core_.closed()) {
          return std::nullopt;
        } else {
          sleep_until = lot_.Park(self, popped.wait_until);
        }
      }
      Wake(next);
      const bool parked = popped.batch.empty() && popped.dropped.empty();
      FinishDropped(popped.dropped);
      if (!popped.batch.empty()) {
        return Batch{.requests = Take(popped.batch), .formed = now};
      }
      if (parked) {
        woken = Sleep(self, sleep_until);
      }
    }
  }

  void Close() {
    for (;;) {
      RunnerLot::Parked* runner;
      {
        std::lock_guard lock(mutex_);
        core_.Close();
        runner = lot_.ChooseAny();
      }
      if (runner == nullptr) {
        return;
      }
      Wake(runner);
    }
  }

  void Abandon(const std::string& reason) {
    QueueCore::RequestList all;
    {
      std::lock_guard lock(mutex_);
      core_.TakeAll(all);
    }
    for (const auto& request : Take(all)) {
      request->Finish(Unavailable("[request id: {}] {}", IdOf(*request), reason),
                      FailureReason::kRejected);
    }
  }

  std::size_t depth() const {
    std::lock_guard lock(mutex_);
    return core_.depth();
  }

  std::size_t byte_size() const {
    std::lock_guard lock(mutex_);
    return core_.byte_size();
  }

 private:
  // True when another thread woke this one, which then counts as waking; false when its timer ran
  // out.
  bool Sleep(ParkedThread& self, Nanos until) {
    // `until` is on the queue's clock, which a test may have replaced; the kernel knows only the
    // real one.
    if (until != kNever) {
      until = Clock::Real().Now() + (until - clock_.Now());
    }
    if (self.parker.Park(until)) {
      return true;
    }
    {
      std::lock_guard lock(mutex_);
      if (lot_.TimedOut(self)) {
        return false;
      }
    }
    return self.parker.Park();
  }

  const Clock& clock_;
  mutable std::mutex mutex_;  // guards core_ and lot_
  QueueCore core_;
  RunnerLot lot_;
};

RequestQueue::RequestQueue(BatchPolicyOptions policy, QueueLimits limits, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(policy), limits, clock)) {}
RequestQueue::~RequestQueue() = default;

void RequestQueue::Push(std::unique_ptr<InferRequest> request) { impl_->Push(std::move(request)); }
std::optional<Batch> RequestQueue::PopBatch() { return impl_->PopBatch(); }
void RequestQueue::Close() { impl_->Close(); }
void RequestQueue::Abandon(const std::string& reason) { impl_->Abandon(reason); }
std::size_t RequestQueue::depth() const { return impl_->depth(); }
std::size_t RequestQueue::byte_size() const { return impl_->byte_size(); }

}  // namespace headrace::engine

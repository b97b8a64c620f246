#include "engine/request_queue.h"

#include <mutex>
#include <utility>
#include <vector>

#include "base/adaptive_mutex.h"
#include "base/check.h"
#include "base/wake_batch.h"
#include "engine/dispatcher.h"
#include "engine/expiry_thread.h"
#include "engine/parker.h"
#include "engine/queue_core.h"
#include "engine/runner_lot.h"

namespace headrace::engine {
namespace {

using QueueDispatcher = Dispatcher<QueueCore>;

struct ParkedThread final : RunnerLot::Parked, Waker {
  void WakeNow() override { parker.Unpark(); }
  Parker parker;
};

void WakeNow(RunnerLot::Parked* runner) {
  if (runner != nullptr) {
    static_cast<ParkedThread*>(runner)->WakeNow();
  }
}

// A thread that pushes much in a row wakes once. A chosen runner stays parked until it is woken, so
// it may be borrowed.
void Wake(RunnerLot::Parked* runner) {
  if (runner != nullptr) {
    WakeBatch::WakeBorrowed(*static_cast<ParkedThread*>(runner));
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
  request.Finish(Unavailable("[request id: {}] {}", IdOf(request), kQueueFullText),
                 FailureReason::kRejected);
}

void FinishRefused(InferRequest& request, const std::string& reason) {
  request.Finish(Unavailable("[request id: {}] {}", IdOf(request), reason),
                 FailureReason::kRejected);
}

void FinishDropped(QueueCore::RequestList& dropped, Nanos now) {
  if (dropped.empty()) {
    return;
  }
  for (const auto& request : Take(dropped)) {
    if (request->queue_expiry <= now) {
      request->Finish(Unavailable("{}", kWaitedTooLongText), FailureReason::kRejected);
    } else if (request->Cancelled()) {
      request->Finish(Cancelled("[request id: {}] the client has gone before the execution began",
                                IdOf(*request)),
                      FailureReason::kCanceled);
    } else {
      request->Finish(DeadlineExceeded("[request id: {}] the client's deadline passed in the queue",
                                       IdOf(*request)),
                      FailureReason::kCanceled);
    }
  }
}

}  // namespace

class RequestQueue::Impl {
 public:
  Impl(BatchPolicyOptions policy, QueueLimits limits, const Clock& clock, QueuePolicies policies)
      : clock_(clock), core_(policy, limits, policies), dispatcher_(core_) {
    if (policy.dynamic && policies.Rejects()) {
      expiry_.emplace("queue_expiry", clock, [this](Nanos now) { return Expire(now); });
    }
  }
  ~Impl() {
    expiry_.reset();
    HEADRACE_CHECK(core_.closed() || core_.empty());
  }

  void Push(std::unique_ptr<InferRequest> request) {
    const Nanos now = clock_.Now();
    QueueDispatcher::Pushed pushed;
    Nanos next_expiry = kNever;
    std::string refusal;
    std::unique_ptr<InferRequest> displaced;
    {
      std::lock_guard lock(mutex_);
      if (refusal_.empty()) {
        pushed = dispatcher_.Push(request, now);
        displaced = core_.TakeDisplaced();
        next_expiry = core_.next_expiry();
      } else {
        refusal = refusal_;
      }
    }
    if (!refusal.empty()) {
      FinishRefused(*request, refusal);
      return;
    }
    Wake(pushed.wake);
    if (expiry_) {
      expiry_->LookBy(next_expiry);
    }
    if (pushed.result != QueueCore::PushResult::kAccepted) {
      Refuse(*request, pushed.result);
    }
    if (displaced != nullptr) {
      Refuse(*displaced, QueueCore::PushResult::kTooManyRequests);
    }
  }

  std::optional<Batch> PopBatch(const std::atomic<bool>* retired) {
    ParkedThread self;
    bool woken = false;
    for (;;) {
      QueueCore::Popped popped;
      QueueDispatcher::Step step;
      const Nanos now = clock_.Now();
      {
        std::lock_guard lock(mutex_);
        if (retired != nullptr && retired->load(std::memory_order_relaxed)) {
          step.wake = dispatcher_.Leave(woken, now);
          step.closed = true;  // for this thread
        } else {
          step = dispatcher_.Pop(self, woken, now, popped);
        }
      }
      WakeNow(step.wake);  // it shall run beside what this thread executes next
      FinishDropped(popped.dropped, now);
      if (!popped.batch.empty()) {
        return Batch{.requests = Take(popped.batch), .formed = now};
      }
      if (step.closed) {
        return std::nullopt;
      }
      woken = step.parked && Sleep(self, step.sleep_until);
    }
  }

  std::optional<Batch> PopAhead() {
    QueueCore::Popped popped;
    const Nanos now = clock_.Now();
    {
      std::lock_guard lock(mutex_);
      dispatcher_.PopAhead(now, popped);
    }
    FinishDropped(popped.dropped, now);
    if (popped.batch.empty()) {
      return std::nullopt;
    }
    return Batch{.requests = Take(popped.batch), .formed = now};
  }

  void RouseAll() {
    std::vector<RunnerLot::Parked*> parked;  // stay parked until they are woken
    {
      std::lock_guard lock(mutex_);
      while (RunnerLot::Parked* runner = dispatcher_.Rouse()) {
        parked.push_back(runner);
      }
    }
    for (RunnerLot::Parked* runner : parked) {
      WakeNow(runner);
    }
  }

  void Close() {
    RunnerLot::Parked* runner;
    do {
      {
        std::lock_guard lock(mutex_);
        runner = dispatcher_.Close();
      }
      WakeNow(runner);
    } while (runner != nullptr);
    // Whoever closes is likely to wait for the runners, also for those that were chosen before.
    WakeBatch::FlushCurrent();
  }

  void Abandon(const std::string& reason) {
    QueueCore::RequestList all;
    {
      std::lock_guard lock(mutex_);
      core_.TakeAll(all);
    }
    for (const auto& request : Take(all)) {
      FinishRefused(*request, reason);
    }
  }

  void SetRefusal(const std::string& reason) {
    {
      std::lock_guard lock(mutex_);
      refusal_ = reason;
    }
    if (!reason.empty()) {
      Abandon(reason);
    }
  }

  void SetQueueDelay(Nanos delay) {
    {
      std::lock_guard lock(mutex_);
      core_.SetQueueDelay(delay);
    }
    RouseAll();  // those that sleep until the end of another delay
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
  // Answers what has outstayed its timeout; when to look next.
  Nanos Expire(Nanos now) {
    QueueCore::Popped popped;
    Nanos next;
    {
      std::lock_guard lock(mutex_);
      core_.Expire(now, popped);
      next = core_.next_expiry();
    }
    FinishDropped(popped.dropped, now);
    return next;
  }

  // True when another thread woke this one, which then counts as waking; false when its timer ran
  // out.
  bool Sleep(ParkedThread& self, Nanos until) {
    WakeBatch::FlushCurrent();
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
      if (dispatcher_.TimedOut(self)) {
        return false;
      }
    }
    return self.parker.Park();
  }

  const Clock& clock_;
  mutable AdaptiveMutex mutex_;  // guards core_, dispatcher_ and refusal_
  QueueCore core_;
  QueueDispatcher dispatcher_;
  std::string refusal_;                 // empty: requests are taken
  std::optional<ExpiryThread> expiry_;  // only where requests can expire
};

RequestQueue::RequestQueue(BatchPolicyOptions policy, QueueLimits limits, const Clock& clock,
                           QueuePolicies policies)
    : impl_(std::make_unique<Impl>(std::move(policy), limits, clock, std::move(policies))) {}
RequestQueue::~RequestQueue() = default;

void RequestQueue::Push(std::unique_ptr<InferRequest> request) { impl_->Push(std::move(request)); }
std::optional<Batch> RequestQueue::PopBatch(const std::atomic<bool>* retired) {
  return impl_->PopBatch(retired);
}
std::optional<Batch> RequestQueue::PopAhead() { return impl_->PopAhead(); }
void RequestQueue::RouseAll() { impl_->RouseAll(); }
void RequestQueue::Close() { impl_->Close(); }
void RequestQueue::Abandon(const std::string& reason) { impl_->Abandon(reason); }
void RequestQueue::SetRefusal(const std::string& reason) { impl_->SetRefusal(reason); }
void RequestQueue::SetQueueDelay(Nanos delay) { impl_->SetQueueDelay(delay); }
std::size_t RequestQueue::depth() const { return impl_->depth(); }
std::size_t RequestQueue::byte_size() const { return impl_->byte_size(); }

}  // namespace headrace::engine

#include "engine/simulator/mutants.h"

#include <algorithm>
#include <map>
#include <utility>

namespace headrace::engine::simulator {
namespace {

enum class Bug {
  kNone,
  kOverLimit,
  kMixedShapes,
  kStarvedShape,
  kYoungestFirst,
  kDispatchedTwice,
  kLostOnCancel,
  kExecutesCancelled,
  kNoLimits,
  kBytesNotReturned,
  kForgetsTimers,
  kRefusesHalfFull,
  kKeepsWaitingWhenClosed,
  kIgnoresPriority,
  kExecutesExpired,
  kExpiresOnlyAtPop,
  kExpiresEarly,
  kNeverDelays,
  kNoLevelLimits,
  kNoTurnOfTheOldest,
};

class PlainQueueUnderTest : public QueueUnderTest {
 public:
  PlainQueueUnderTest(const Scenario& scenario, Bug bug)
      : policy_(scenario.policy),
        limits_(scenario.limits),
        policies_(scenario.policies),
        bug_(bug) {}

  ~PlainQueueUnderTest() override {
    QueueCore::RequestList rest;
    TakeAll(rest);
    Take(rest);
  }

  QueueCore::PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now) override {
    if (closed_) {
      return QueueCore::PushResult::kClosed;
    }
    const std::size_t count_max =
        bug_ == Bug::kRefusesHalfFull ? limits_.request_count_max / 2 : limits_.request_count_max;
    if (bug_ != Bug::kNoLimits && waiting_.size() >= count_max) {
      return QueueCore::PushResult::kTooManyRequests;
    }
    if (bug_ != Bug::kNoLimits && bytes_ + request->byte_size > limits_.byte_size_max) {
      return QueueCore::PushResult::kTooManyBytes;
    }
    const std::uint32_t level = policies_.LevelOf(request->priority);
    const QueuePolicy& own = policies_.Of(level);
    const auto of_level =
        std::count_if(waiting_.begin(), waiting_.end(),
                      [level](const InferRequest* r) { return r->lane / 2 == level; });
    if (bug_ != Bug::kNoLevelLimits && own.request_count_max > 0 &&
        static_cast<std::size_t>(of_level) >= own.request_count_max) {
      return QueueCore::PushResult::kTooManyRequests;
    }
    request->lane = level * 2;
    request->queue_expiry = own.Expiry(now, request->timeout_us);
    if (bug_ == Bug::kExpiresEarly && request->queue_expiry != kNever) {
      request->queue_expiry -= 20 * kMicrosecond;
    }
    request->times.queued = now;
    bytes_ += request->byte_size;
    waiting_.push_back(request.release());
    return QueueCore::PushResult::kAccepted;
  }

  void Expire(Nanos now, QueueCore::Popped& popped) override {
    if (bug_ == Bug::kExecutesExpired || bug_ == Bug::kExpiresOnlyAtPop) {
      return;
    }
    ExpireNow(now, popped);
  }

  void TryPop(Nanos now, QueueCore::Popped& popped) override {
    if (bug_ != Bug::kExecutesExpired) {
      ExpireNow(now, popped);
    }
    DropDead(now, popped);
    popped.wait_until = kNever;
    if (waiting_.empty()) {
      return;
    }
    if (!policy_.dynamic) {
      Dispatch({bug_ == Bug::kYoungestFirst ? waiting_.back() : waiting_.front()}, popped);
      return;
    }
    if (policies_.Reorders()) {
      PopByLane(now, popped);
      return;
    }
    std::map<std::uint64_t, Nanos> oldest_of_shape;
    for (InferRequest* request : waiting_) {
      // Shapes in the order of their oldest request.
      if (bug_ == Bug::kStarvedShape && request->shape_key == 1 && waiting_.size() > 1) {
        continue;
      }
      if (oldest_of_shape.try_emplace(request->shape_key, request->times.queued).second &&
          Offer(request->shape_key, now, popped)) {
        return;
      }
    }
    if (bug_ != Bug::kForgetsTimers) {
      popped.wait_until = waiting_.front()->times.queued + policy_.queue_delay_max;
    }
  }

  void TakeAll(QueueCore::RequestList& out) override {
    for (InferRequest* request : waiting_) {
      out.PushBack(*request);
    }
    waiting_.clear();
    bytes_ = 0;
  }

  void Close() override { closed_ = true; }
  bool Due(Nanos) const override { return !waiting_.empty(); }
  bool HasWorkBeyond(std::size_t waking) const override { return waiting_.size() > waking; }
  bool closed() const override { return closed_; }
  std::size_t depth() const override { return waiting_.size(); }
  std::size_t byte_size() const override { return bytes_; }
  std::vector<const InferRequest*> Contents() const override {
    return {waiting_.begin(), waiting_.end()};
  }

 private:
  void ExpireNow(Nanos now, QueueCore::Popped& popped) {
    const std::vector<InferRequest*> all = waiting_;
    for (InferRequest* request : all) {
      if (request->queue_expiry > now) {
        continue;
      }
      if (policies_.Of(request->lane / 2).timeout_action == TimeoutAction::kReject) {
        Remove(request);
        popped.dropped.PushBack(*request);
      } else if (bug_ != Bug::kNeverDelays) {
        request->lane |= 1;
      }
    }
  }

  // With levels or delays: once anything is due, the first in the order of service goes.
  void PopByLane(Nanos now, QueueCore::Popped& popped) {
    std::map<std::uint64_t, std::vector<std::int64_t>> sizes;
    std::map<std::uint64_t, Nanos> oldest_of;
    for (InferRequest* request : waiting_) {
      sizes[request->shape_key].push_back(request->batch_size);
      oldest_of.try_emplace(request->shape_key, request->times.queued);
    }
    bool due = closed_;
    for (const auto& [shape, of_shape] : sizes) {
      const Decision decision = DecideBatch(policy_, {of_shape, oldest_of[shape]}, now);
      due = due || std::holds_alternative<engine::Dispatch>(decision);
    }
    if (!due) {
      popped.wait_until = waiting_.front()->times.queued + policy_.queue_delay_max;
      return;
    }
    std::vector<InferRequest*> line = waiting_;
    std::stable_sort(line.begin(), line.end(), [this](InferRequest* a, InferRequest* b) {
      if (bug_ == Bug::kIgnoresPriority) {
        return false;
      }
      const bool late = (a->lane & 1) != 0;
      return a->lane != b->lane ? a->lane < b->lane : late && a->queue_expiry < b->queue_expiry;
    });
    InferRequest* oldest = waiting_.front();
    auto first = line.begin();
    if (policies_.level_count > 1 && policies_.passed_over_batches_max > 0 &&
        bug_ != Bug::kNoTurnOfTheOldest && passed_over_ >= policies_.passed_over_batches_max) {
      first = std::find(line.begin(), line.end(), oldest);
    }
    std::vector<InferRequest*> batch;
    std::int64_t total = 0;
    for (auto at = first; at != line.end(); ++at) {
      if ((*at)->shape_key != (*first)->shape_key) {
        continue;
      }
      if (!batch.empty() && total + (*at)->batch_size > policy_.batch_size_max) {
        break;
      }
      total += (*at)->batch_size;
      batch.push_back(*at);
    }
    const bool taken = std::find(batch.begin(), batch.end(), oldest) != batch.end();
    passed_over_ = taken ? 0 : passed_over_ + 1;
    Dispatch(batch, popped);
  }

  void DropDead(Nanos now, QueueCore::Popped& popped) {
    if (bug_ == Bug::kExecutesCancelled) {
      return;
    }
    const std::vector<InferRequest*> all = waiting_;
    for (InferRequest* request : all) {
      if (!request->Cancelled() && request->deadline > now) {
        continue;
      }
      Remove(request);
      if (bug_ == Bug::kLostOnCancel) {
        lost_.emplace_back(request);
      } else {
        popped.dropped.PushBack(*request);
      }
    }
  }

  // Lets the real policy look at one shape.
  bool Offer(std::uint64_t shape, Nanos now, QueueCore::Popped& popped) {
    std::vector<InferRequest*> group;
    std::vector<std::int64_t> sizes;
    for (InferRequest* request : waiting_) {
      if (request->shape_key == shape || bug_ == Bug::kMixedShapes) {
        group.push_back(request);
        sizes.push_back(request->batch_size);
      }
    }
    const Nanos oldest = group.front()->times.queued;
    if (bug_ == Bug::kYoungestFirst) {
      std::reverse(group.begin(), group.end());
      std::reverse(sizes.begin(), sizes.end());
    }
    BatchPolicyOptions policy = policy_;
    if (closed_ && bug_ != Bug::kKeepsWaitingWhenClosed) {
      policy.queue_delay_max = 0;
    }
    const Decision decision = DecideBatch(policy, {sizes, oldest}, now);
    if (!std::holds_alternative<engine::Dispatch>(decision)) {
      return false;
    }
    std::size_t count = std::get<engine::Dispatch>(decision).request_count;
    if (bug_ == Bug::kOverLimit) {
      count = group.size();
    }
    group.resize(count);
    Dispatch(group, popped);
    return true;
  }

  void Dispatch(const std::vector<InferRequest*>& requests, QueueCore::Popped& popped) {
    for (InferRequest* request : requests) {
      if (bug_ == Bug::kDispatchedTwice && ++dispatched_ % 16 == 0) {
        // The same request once more: a copy with the same number, so that nothing is freed twice.
        waiting_.push_back(Copy(*request).release());
        bytes_ += request->byte_size;
      }
      Remove(request);
      popped.batch.PushBack(*request);
    }
  }

  static std::unique_ptr<InferRequest> Copy(const InferRequest& request) {
    struct DeafSink final : ResponseSink {
      Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
        return Internal("none");
      }
      void Send(InferResponse) override {}
      void Finish(Status) override {}
      bool Cancelled() const override { return false; }
    };
    auto copy = std::make_unique<InferRequest>(nullptr, std::make_unique<DeafSink>());
    copy->correlation_id = request.correlation_id;
    copy->shape_key = request.shape_key;
    copy->batch_size = request.batch_size;
    copy->byte_size = request.byte_size;
    copy->times = request.times;
    return copy;
  }

  void Remove(InferRequest* request) {
    std::erase(waiting_, request);
    if (bug_ != Bug::kBytesNotReturned) {
      bytes_ -= request->byte_size;
    }
  }

  const BatchPolicyOptions policy_;
  const QueueLimits limits_;
  const QueuePolicies policies_;
  const Bug bug_;
  std::vector<InferRequest*> waiting_;  // owned, oldest first
  std::vector<std::unique_ptr<InferRequest>> lost_;
  std::size_t bytes_ = 0;
  int dispatched_ = 0;
  std::uint32_t passed_over_ = 0;
  bool closed_ = false;
};

QueueFactory Plain(Bug bug) {
  return [bug](const Scenario& scenario) {
    return std::make_unique<PlainQueueUnderTest>(scenario, bug);
  };
}

// Policies for the real queue.
Decision NeverDispatches(const BatchPolicyOptions&, const QueueView&, Nanos now) {
  return WaitUntil{now + kSecond};
}

Decision IgnoresTheDelay(const BatchPolicyOptions& options, const QueueView& view, Nanos now) {
  BatchPolicyOptions patient = options;
  patient.queue_delay_max = options.queue_delay_max * 10;
  return DecideBatch(patient, view, now);
}

Decision IgnoresTheLimit(const BatchPolicyOptions& options, const QueueView& view, Nanos now) {
  BatchPolicyOptions larger = options;
  larger.batch_size_max = options.batch_size_max + 1;
  return DecideBatch(larger, view, now);
}

Decision NeverWaits(const BatchPolicyOptions& options, const QueueView& view, Nanos now) {
  BatchPolicyOptions hasty = options;
  hasty.preferred_sizes = {1};
  hasty.batch_size_max = options.batch_size_max;
  return DecideBatch(hasty, view, now);
}

// Never satisfied with a small batch, whatever the time.
Decision WantsThreeRequests(const BatchPolicyOptions& options, const QueueView& view, Nanos now) {
  if (view.batch_sizes.size() < 3) {
    return WaitUntil{view.oldest_queued + options.queue_delay_max};
  }
  return DecideBatch(options, view, now);
}

}  // namespace

QueueFactory PlainQueue() { return Plain(Bug::kNone); }

std::vector<Mutant> Mutants() {
  return {
      {"policy_never_dispatches", RealQueue(&NeverDispatches)},
      {"policy_ignores_the_delay", RealQueue(&IgnoresTheDelay)},
      {"policy_ignores_the_limit", RealQueue(&IgnoresTheLimit)},
      {"policy_never_waits", RealQueue(&NeverWaits)},
      {"policy_wants_three_requests", RealQueue(&WantsThreeRequests)},
      {"queue_over_limit", Plain(Bug::kOverLimit)},
      {"queue_mixes_shapes", Plain(Bug::kMixedShapes)},
      {"queue_starves_a_shape", Plain(Bug::kStarvedShape)},
      {"queue_youngest_first", Plain(Bug::kYoungestFirst)},
      {"queue_dispatches_twice", Plain(Bug::kDispatchedTwice)},
      {"queue_loses_cancelled", Plain(Bug::kLostOnCancel)},
      {"queue_executes_cancelled", Plain(Bug::kExecutesCancelled)},
      {"queue_without_limits", Plain(Bug::kNoLimits)},
      {"queue_keeps_bytes", Plain(Bug::kBytesNotReturned)},
      {"queue_forgets_timers", Plain(Bug::kForgetsTimers)},
      {"queue_refuses_half_full", Plain(Bug::kRefusesHalfFull)},
      {"queue_waits_when_closed", Plain(Bug::kKeepsWaitingWhenClosed)},
      {"queue_ignores_priority", Plain(Bug::kIgnoresPriority)},
      {"queue_executes_expired", Plain(Bug::kExecutesExpired)},
      {"queue_expires_only_at_pop", Plain(Bug::kExpiresOnlyAtPop)},
      {"queue_expires_early", Plain(Bug::kExpiresEarly)},
      {"queue_never_delays", Plain(Bug::kNeverDelays)},
      {"queue_without_level_limits", Plain(Bug::kNoLevelLimits)},
      {"queue_gives_the_oldest_no_turn", Plain(Bug::kNoTurnOfTheOldest)},
      {"runner_loses_wakeups", RealQueue(), 30},
  };
}

}  // namespace headrace::engine::simulator

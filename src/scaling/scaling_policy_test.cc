#include "scaling/scaling_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <vector>

namespace headrace::scaling {
namespace {

constexpr Nanos kStep = 10 * kMillisecond;
constexpr Nanos kLook = 250 * kMillisecond;

// A model in simulated time: each worker takes one request at a time.
class Simulation {
 public:
  explicit Simulation(std::int64_t min, std::int64_t max) {
    view_.worker_count_min = min;
    view_.worker_count_max = max;
    view_.worker_count = min;
    SetReady();
  }

  Nanos service = 100 * kMillisecond;
  Nanos start = kSecond;
  bool starts_fail = false;
  std::size_t queue_max = 1000;

  // `rate` requests per second, evenly, for `duration`.
  void Run(Nanos duration, double rate) {
    for (const Nanos end = now_ + duration; now_ < end; now_ += kStep) {
      owed_ += rate * static_cast<double>(kStep) / 1e9;
      for (; owed_ >= 1; owed_ -= 1) {
        Arrive(1);
      }
      Step();
    }
  }
  void Arrive(int count) {
    for (int i = 0; i < count; ++i) {
      ++view_.received;
      if (queue_.size() < queue_max) {
        queue_.push_back(now_);
      }
    }
  }

  std::int64_t worker_count() const { return view_.worker_count; }
  std::size_t queue_depth() const { return queue_.size(); }
  int changes() const { return changes_; }
  ScalingReason last_reason() const { return last_reason_; }
  Nanos longest_wait() const { return longest_wait_; }
  void ForgetWaits() { longest_wait_ = 0; }
  void SetLimits(std::int64_t min, std::int64_t max) {
    view_.worker_count_min = min;
    view_.worker_count_max = max;
  }
  const ScalingPolicy& policy() const { return policy_; }

 private:
  void SetReady() { ready_.resize(static_cast<std::size_t>(view_.worker_count), 0); }

  void Step() {
    for (Nanos& busy_until : ready_) {
      if (busy_until != 0 && busy_until <= now_) {
        busy_until = 0;
        ++view_.completed;
      }
      if (busy_until == 0 && !queue_.empty()) {
        longest_wait_ = std::max(longest_wait_, now_ - queue_.front());
        queue_.pop_front();
        busy_until = now_ + service;
      }
    }
    if (changing_ && now_ >= change_done_) {
      changing_ = false;
      if (starts_fail && wanted_ > view_.worker_count) {
        policy_.Failed(now_);
      } else {
        policy_.Changed(now_, wanted_ > view_.worker_count ? start : 0);
        view_.worker_count = wanted_;
        SetReady();
      }
    }
    if (now_ % kLook != 0) {
      return;
    }
    view_.queue_depth = static_cast<std::int64_t>(queue_.size());
    view_.executing = std::count_if(ready_.begin(), ready_.end(), [](Nanos b) { return b != 0; });
    const ScalingDecision decision = policy_.Look(now_, view_);
    if (!changing_ && decision.worker_count != view_.worker_count) {
      ++changes_;
      last_reason_ = decision.reason;
      changing_ = true;
      wanted_ = decision.worker_count;
      change_done_ = now_ + (wanted_ > view_.worker_count ? start : 0);
    }
  }

  ScalingPolicy policy_{{}};
  ScalingView view_;
  Nanos now_ = 0;
  double owed_ = 0;
  std::deque<Nanos> queue_;   // when they came
  std::vector<Nanos> ready_;  // until when each is busy; 0: free
  bool changing_ = false;
  std::int64_t wanted_ = 0;
  Nanos change_done_ = 0;
  int changes_ = 0;
  ScalingReason last_reason_ = ScalingReason::kSteady;
  Nanos longest_wait_ = 0;
};

TEST(ScalingPolicyTest, GrowsToWhatTheLoadNeeds_AndStaysThere) {
  Simulation model(1, 8);
  model.Run(30 * kSecond, 5);  // half of what one worker does
  EXPECT_EQ(model.worker_count(), 1);
  model.Run(60 * kSecond, 35);  // three and a half workers' load
  EXPECT_GE(model.worker_count(), 4);
  EXPECT_LE(model.worker_count(), 8);
  EXPECT_EQ(model.queue_depth(), 0u);
  const int changes = model.changes();
  model.ForgetWaits();
  model.Run(600 * kSecond, 35);
  EXPECT_LE(model.changes(), changes + 2);  // down to what is enough, and no further
  EXPECT_GE(model.worker_count(), 4);
  EXPECT_LE(model.worker_count(), 6);
  EXPECT_LE(model.longest_wait(), kSecond);
  const int settled = model.changes();
  model.Run(600 * kSecond, 35);
  EXPECT_EQ(model.changes(), settled);
}

TEST(ScalingPolicyTest, StaysWithinItsLimits) {
  Simulation model(2, 3);
  model.Run(60 * kSecond, 100);
  EXPECT_EQ(model.worker_count(), 3);
  model.Run(300 * kSecond, 0);
  EXPECT_EQ(model.worker_count(), 2);
  EXPECT_EQ(model.last_reason(), ScalingReason::kLowLoad);
  model.SetLimits(4, 5);
  model.Run(5 * kSecond, 0);
  EXPECT_EQ(model.worker_count(), 4);
  EXPECT_EQ(model.last_reason(), ScalingReason::kLimits);
}

TEST(ScalingPolicyTest, StartsNoWorkerForABurstThatIsGoneBeforeItCouldHelp) {
  Simulation model(1, 8);
  model.start = 10 * kSecond;
  model.Run(10 * kSecond, 5);
  model.Arrive(20);  // two seconds of work, beside a load of one half
  model.Run(60 * kSecond, 5);
  // The first start has not been measured: it counts as two seconds.
  EXPECT_LE(model.worker_count(), 2);
  model.Arrive(20);
  model.Run(60 * kSecond, 5);
  EXPECT_LE(model.worker_count(), 2);
}

TEST(ScalingPolicyTest, GoesBackSlowly) {
  Simulation model(1, 8);
  model.Run(60 * kSecond, 55);
  const std::int64_t most = model.worker_count();
  EXPECT_GE(most, 6);
  model.Run(50 * kSecond, 5);
  EXPECT_EQ(model.worker_count(), most);
  model.Run(200 * kSecond, 5);
  EXPECT_EQ(model.worker_count(), 1);
}

TEST(ScalingPolicyTest, DoesNotSwing_WhenTheLoadDoes) {
  Simulation model(1, 8);
  for (int i = 0; i < 20; ++i) {
    model.Run(20 * kSecond, 60);
    model.Run(20 * kSecond, 5);
  }
  EXPECT_LE(model.changes(), 5);
  EXPECT_GE(model.worker_count(), 6);
}

TEST(ScalingPolicyTest, HasNoWorkerWhereThatIsAllowed_AndAFirstOneForARequest) {
  Simulation model(0, 4);
  model.Run(10 * kSecond, 0);
  EXPECT_EQ(model.worker_count(), 0);
  EXPECT_EQ(model.changes(), 0);
  model.Arrive(1);
  model.Run(2 * kSecond, 0);
  EXPECT_EQ(model.worker_count(), 1);
  EXPECT_EQ(model.last_reason(), ScalingReason::kFirstWorker);
  EXPECT_EQ(model.queue_depth(), 0u);
  model.Run(290 * kSecond, 0);
  EXPECT_EQ(model.worker_count(), 1);
  model.Run(30 * kSecond, 0);
  EXPECT_EQ(model.worker_count(), 0);
  EXPECT_EQ(model.last_reason(), ScalingReason::kIdle);
}

TEST(ScalingPolicyTest, KeepsAWorkerThatIsUsedNowAndThen) {
  Simulation model(0, 4);
  for (int i = 0; i < 10; ++i) {
    model.Arrive(1);
    model.Run(200 * kSecond, 0);
  }
  EXPECT_EQ(model.worker_count(), 1);
  EXPECT_EQ(model.changes(), 1);
}

TEST(ScalingPolicyTest, PausesAfterAFailure) {
  Simulation model(0, 4);
  model.starts_fail = true;
  model.Arrive(1);
  model.Run(20 * kSecond, 0);
  EXPECT_EQ(model.changes(), 1);
  model.Run(30 * kSecond, 0);
  EXPECT_EQ(model.changes(), 2);
  model.starts_fail = false;
  model.Run(60 * kSecond, 0);
  EXPECT_EQ(model.worker_count(), 1);
}

TEST(ScalingPolicyTest, MeasuresWhatAStartCosts) {
  Simulation model(1, 2);
  model.start = 7 * kSecond;
  model.Run(60 * kSecond, 30);
  EXPECT_EQ(model.policy().start_cost(), 7 * kSecond);
}

TEST(ScalingPolicyTest, CountsABatchAsOneWorker) {
  ScalingPolicy policy({});
  ScalingView view;
  view.worker_count = 2;
  view.worker_count_min = 1;
  view.worker_count_max = 8;
  view.batch_size = 8;
  view.executing = 8;
  view.queue_depth = 5;  // a worker is free: it waits for its batch
  for (Nanos now = 0; now < 30 * kSecond; now += kLook) {
    ++view.received;
    ++view.completed;
    EXPECT_EQ(policy.Look(now, view).worker_count, 2);
  }
}

}  // namespace
}  // namespace headrace::scaling

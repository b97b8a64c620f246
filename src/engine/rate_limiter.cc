#include "engine/rate_limiter.h"

#include <algorithm>
#include <chrono>

#include "base/wake_batch.h"

namespace headrace::engine {

Result<std::unique_ptr<RateLimiter::Seat>> RateLimiter::Join(const InstancePlacement& placement) {
  if (std::all_of(placement.resources.begin(), placement.resources.end(),
                  [](const ResourceNeed& need) { return need.count == 0; })) {
    return std::unique_ptr<Seat>();
  }
  std::lock_guard lock(mutex_);
  HEADRACE_ASSIGN_OR_RETURN(const ResourcePool::Id id, pool_.Add(placement));
  std::unique_ptr<Seat> seat(new Seat(*this, id));
  seats_.emplace(id, seat.get());
  GrantLocked();  // an automatic limit may have grown
  return seat;
}

RateLimiter::Seat::~Seat() {
  std::lock_guard lock(limiter_.mutex_);
  limiter_.seats_.erase(id_);
  limiter_.pool_.Remove(id_);
  limiter_.GrantLocked();
}

void RateLimiter::Seat::Acquire() {
  std::unique_lock lock(limiter_.mutex_);
  expected_until_ = 0;
  limiter_.pool_.Request(id_);
  limiter_.GrantLocked();
  if (granted_) {
    return;
  }
  lock.unlock();
  WakeBatch::FlushCurrent();  // this thread may sleep now
  lock.lock();
  while (!granted_) {
    const Nanos until = limiter_.ForgetLateLocked();
    if (granted_) {
      return;
    }
    if (until == kNever) {
      granted_changed_.wait(lock);
    } else {
      granted_changed_.wait_for(lock, std::chrono::nanoseconds(until - Clock::Real().Now()));
    }
  }
}

void RateLimiter::Seat::Release(bool returns) {
  std::lock_guard lock(limiter_.mutex_);
  granted_ = false;
  limiter_.pool_.Release(id_);
  if (returns) {
    expected_until_ = Clock::Real().Now() + kReturnMax;
    limiter_.pool_.Expect(id_);
    // Whoever waits looks at the time now.
    for (const auto& [id, seat] : limiter_.seats_) {
      seat->granted_changed_.notify_one();
    }
  }
  limiter_.GrantLocked();
}

Nanos RateLimiter::ForgetLateLocked() {
  const Nanos now = Clock::Real().Now();
  Nanos next = kNever;
  bool forgot = false;
  for (const auto& [id, seat] : seats_) {
    if (seat->expected_until_ == 0) {
      continue;
    }
    if (seat->expected_until_ <= now) {
      seat->expected_until_ = 0;
      pool_.Forget(id);
      forgot = true;
    } else {
      next = std::min(next, seat->expected_until_);
    }
  }
  if (forgot) {
    GrantLocked();
  }
  return next;
}

void RateLimiter::GrantLocked() {
  for (const ResourcePool::Id id : pool_.Grant()) {
    Seat& seat = *seats_.at(id);
    seat.granted_ = true;
    seat.granted_changed_.notify_one();
  }
}

std::size_t RateLimiter::waiting_count() const {
  std::lock_guard lock(mutex_);
  return pool_.waiting_count();
}

void RateLimiter::Collect(telemetry::PrometheusWriter& writer) const {
  std::vector<ResourcePool::Figure> figures;
  std::size_t waiting = 0;
  {
    std::lock_guard lock(mutex_);
    figures = pool_.figures();
    waiting = pool_.waiting_count();
  }
  const auto labels = [](const ResourcePool::Figure& figure) {
    return telemetry::Labels{{"resource", figure.name}, {"device", figure.device}};
  };
  writer.Family("headrace_rate_limit_resource_limit", telemetry::MetricKind::kGauge,
                "How much there is of a resource of the rate limiter");
  for (const auto& figure : figures) {
    writer.Sample(labels(figure), figure.limit);
  }
  writer.Family("headrace_rate_limit_resource_in_use", telemetry::MetricKind::kGauge,
                "How much of a resource of the rate limiter executions hold");
  for (const auto& figure : figures) {
    writer.Sample(labels(figure), figure.in_use);
  }
  writer.Family("headrace_rate_limit_waiting", telemetry::MetricKind::kGauge,
                "Instances that have a batch and wait for resources");
  writer.Sample({}, std::uint64_t{waiting});
}

}  // namespace headrace::engine

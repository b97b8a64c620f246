// Lets instances execute only while there are the resources that they declare: --rate-limit.
#ifndef HEADRACE_ENGINE_RATE_LIMITER_H_
#define HEADRACE_ENGINE_RATE_LIMITER_H_

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/resource_pool.h"
#include "telemetry/prometheus.h"

namespace headrace::engine {

// One for all models of a server. Thread-safe. Who waits is an instance thread that has its batch
// already (in a stock Triton the batch goes on growing).
class RateLimiter final : public telemetry::MetricSource {
 public:
  static constexpr Nanos kReturnMax = 2 * kMillisecond;

  explicit RateLimiter(std::vector<ResourceLimit> limits) : pool_(std::move(limits)) {}

  // One instance's place. Belongs to that instance's thread; borrows the limiter.
  class Seat {
   public:
    ~Seat();
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    // Blocks until the resources are there, and takes them.
    void Acquire();
    // `returns`: there is more to execute, and Acquire comes at once. Others that are behind it in
    // turn wait for that, at most kReturnMax.
    void Release(bool returns);

   private:
    friend class RateLimiter;
    Seat(RateLimiter& limiter, ResourcePool::Id id) : limiter_(limiter), id_(id) {}
    RateLimiter& limiter_;
    const ResourcePool::Id id_;
    std::condition_variable granted_changed_;
    bool granted_ = false;      // guarded by the limiter's mutex
    Nanos expected_until_ = 0;  // the same; 0: not expected
  };

  // Null for an instance that needs nothing. The failure is ResourcePool's.
  Result<std::unique_ptr<Seat>> Join(const InstancePlacement& placement);

  std::size_t waiting_count() const;
  void Collect(telemetry::PrometheusWriter& writer) const override;

 private:
  void GrantLocked();
  // Forgets those that did not come back in time; the time at which to look again.
  Nanos ForgetLateLocked();

  mutable std::mutex mutex_;  // guards what follows
  ResourcePool pool_;
  std::map<ResourcePool::Id, Seat*> seats_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_RATE_LIMITER_H_

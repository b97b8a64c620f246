// How long and how many requests may wait at each priority level of a model. Pure.
#ifndef HEADRACE_ENGINE_QUEUE_POLICY_H_
#define HEADRACE_ENGINE_QUEUE_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/clock.h"

namespace headrace::engine {

enum class TimeoutAction : std::uint8_t {
  kReject,  // answered with UNAVAILABLE "Request timeout expired" when the time is over
  kDelay,   // served behind everything of its level that has not expired
};

// Of one level (contracts, Triton 4.3). Only time in the queue counts.
struct QueuePolicy {
  TimeoutAction timeout_action = TimeoutAction::kReject;
  Nanos timeout = 0;                    // 0: none, and requests cannot ask for one
  bool allow_timeout_override = false;  // a request may shorten it, never lengthen it
  std::size_t request_count_max = 0;    // waiting at the level; 0: as many as the model may have

  // When a request that was queued at `queued` and asks for `timeout_us` (0: for nothing) expires;
  // kNever if it does not.
  Nanos Expiry(Nanos queued, std::uint64_t timeout_us) const;
};

// Level 1 is the highest. Levels are served strictly in order, except that after
// `passed_over_batches_max` batches in a row that left the longest waiting request behind the next
// batch begins with it: so a flood of one level leaves the others their share.
struct QueuePolicies {
  std::uint32_t level_count = 1;
  std::uint32_t default_level = 1;  // of requests that ask for none or for one that is not there
  QueuePolicy default_policy{};
  std::map<std::uint32_t, QueuePolicy> of_level{};  // in place of default_policy
  std::uint32_t passed_over_batches_max = 9;        // 0: without exception

  const QueuePolicy& Of(std::uint32_t level) const;
  std::uint32_t LevelOf(std::uint64_t priority) const {
    return priority == 0 || priority > level_count ? default_level
                                                   : static_cast<std::uint32_t>(priority);
  }
  // Whether the order of service can differ from the order of arrival.
  bool Reorders() const;
  // Whether a request can expire that must then be answered.
  bool Rejects() const;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_QUEUE_POLICY_H_

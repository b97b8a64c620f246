// Decides when queued requests become a batch. Pure: a function of what is queued and of the time.
#ifndef HEADRACE_ENGINE_BATCH_POLICY_H_
#define HEADRACE_ENGINE_BATCH_POLICY_H_

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace headrace::engine {

struct BatchPolicyOptions {
  bool dynamic = false;             // false: every request is its own execution
  std::int64_t batch_size_max = 1;  // the model's max_batch_size, at least 1
  // Ascending, each in 1..batch_size_max; empty = {batch_size_max}.
  std::vector<std::int64_t> preferred_sizes{};
  Nanos queue_delay_max = 0;  // how long the oldest request may wait for company
};

// What the policy sees of one group of requests that may share a batch: the batch sizes of its
// requests, oldest first, as many as could matter, and when the oldest arrived.
struct QueueView {
  std::span<const std::int64_t> batch_sizes;
  Nanos oldest_queued = 0;
};

struct Dispatch {
  std::size_t request_count;  // this many of the oldest requests, now
};
struct WaitUntil {
  Nanos time;  // look again then, or when something arrives
};
using Decision = std::variant<Dispatch, WaitUntil>;

// Contracts, Triton 4.2. With the pull model a busy server keeps requests queued until an instance
// is free, so batches grow by themselves under load also with delay 0. Never lets sizes exceed
// batch_size_max; never waits beyond oldest_queued + queue_delay_max. Requires a non-empty view.
//
// In order: a delay of 0, or one that the oldest has waited out, sends all that fit; else the
// largest preferred size that some prefix reaches exactly; else, when the batch cannot grow (the
// next request does not fit, or the largest preferred size is passed), all that fit; else wait.
Decision DecideBatch(const BatchPolicyOptions& options, const QueueView& view, Nanos now);

// The two cheap questions that spare a queue the full decision. Both ignore time; `total` is the
// sum of the batch sizes of a group's waiting requests. True when a request that has just brought
// the group to `total` makes it dispatchable by size.
bool SizeIsDue(const BatchPolicyOptions& options, std::int64_t total);
// False when no prefix of a group of `total` can be dispatchable by size.
bool SizeMayBeDue(const BatchPolicyOptions& options, std::int64_t total);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_BATCH_POLICY_H_

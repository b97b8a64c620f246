#include "engine/batch_policy.h"

#include <algorithm>

namespace headrace::engine {
namespace {

bool IsPreferred(const BatchPolicyOptions& options, std::int64_t total) {
  if (options.preferred_sizes.empty()) {
    return total == options.batch_size_max;
  }
  return std::binary_search(options.preferred_sizes.begin(), options.preferred_sizes.end(), total);
}

std::int64_t SmallestPreferred(const BatchPolicyOptions& options) {
  return options.preferred_sizes.empty() ? options.batch_size_max : options.preferred_sizes.front();
}

std::int64_t LargestPreferred(const BatchPolicyOptions& options) {
  return options.preferred_sizes.empty() ? options.batch_size_max : options.preferred_sizes.back();
}

// The oldest requests that fit into one batch.
struct Prefix {
  std::size_t count = 0;
  std::int64_t total = 0;
  std::size_t preferred_count = 0;  // the longest part of it that makes a preferred size
  bool full = false;                // nothing more fits
};

Prefix Collect(const BatchPolicyOptions& options, std::span<const std::int64_t> batch_sizes) {
  Prefix prefix;
  for (const std::int64_t size : batch_sizes) {
    // The first one goes in any case: a request too large for every batch must not block the queue
    // for ever.
    if (prefix.count > 0 && size > options.batch_size_max - prefix.total) {
      prefix.full = true;
      break;
    }
    prefix.total += size;
    ++prefix.count;
    if (IsPreferred(options, prefix.total)) {
      prefix.preferred_count = prefix.count;
    }
    if (prefix.total >= options.batch_size_max) {
      prefix.full = true;
      break;
    }
  }
  return prefix;
}

}  // namespace

Decision DecideBatch(const BatchPolicyOptions& options, const QueueView& view, Nanos now) {
  if (!options.dynamic) {
    return Dispatch{1};
  }
  const Prefix prefix = Collect(options, view.batch_sizes);
  // Compared as an age: oldest + delay could overflow.
  if (now - view.oldest_queued >= options.queue_delay_max) {
    return Dispatch{prefix.count};
  }
  if (prefix.preferred_count > 0) {
    return Dispatch{prefix.preferred_count};
  }
  if (prefix.full || prefix.total >= LargestPreferred(options)) {
    return Dispatch{prefix.count};
  }
  return WaitUntil{view.oldest_queued > kNever - options.queue_delay_max
                       ? kNever
                       : view.oldest_queued + options.queue_delay_max};
}

bool SizeIsDue(const BatchPolicyOptions& options, std::int64_t total) {
  return !options.dynamic || options.queue_delay_max == 0 || total >= LargestPreferred(options) ||
         IsPreferred(options, total);
}

bool SizeMayBeDue(const BatchPolicyOptions& options, std::int64_t total) {
  return !options.dynamic || options.queue_delay_max == 0 || total >= SmallestPreferred(options);
}

}  // namespace headrace::engine

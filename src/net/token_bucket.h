// How often something may happen: so many at once, so many a second on and on.
#ifndef HEADRACE_NET_TOKEN_BUCKET_H_
#define HEADRACE_NET_TOKEN_BUCKET_H_

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace headrace::net {

// Pure: the caller brings the time. Full at the start.
class TokenBucket {
 public:
  TokenBucket(std::uint32_t burst, std::uint32_t per_second)
      : burst_(burst), per_second_(per_second), tokens_(burst) {}

  // False when it is empty.
  bool Take(Nanos now) {
    if (refilled_ == kNever) {
      refilled_ = now;
    }
    if (tokens_ == 0) {
      Refill(now);
    }
    if (tokens_ == 0) {
      return false;
    }
    --tokens_;
    return true;
  }
  // More tokens, up to twice the burst: earned by what was done in return.
  void Earn(std::uint64_t tokens) {
    tokens_ = std::min<std::uint64_t>(tokens_ + tokens, std::max(tokens_, 2 * burst_));
  }

 private:
  void Refill(Nanos now) {
    const Nanos passed = std::min<Nanos>(now - refilled_, 3600 * kSecond);
    const std::uint64_t due = static_cast<std::uint64_t>(passed) * per_second_ / kSecond;
    if (due > 0) {
      refilled_ = now;
      tokens_ = std::min(tokens_ + due, burst_);
    }
  }

  const std::uint64_t burst_;
  const std::uint64_t per_second_;
  std::uint64_t tokens_;
  Nanos refilled_ = kNever;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_TOKEN_BUCKET_H_

// When a peer pings too often: gRPC's rule of ping strikes (contracts, Triton 2.6).
#ifndef HEADRACE_NET_PING_POLICY_H_
#define HEADRACE_NET_PING_POLICY_H_

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "net/listener_options.h"

namespace headrace::net {

// Pure: the caller brings the time. `limits` is borrowed.
class PingPolicy {
 public:
  explicit PingPolicy(const Http2Limits& limits) : limits_(limits) {}

  // The peer was sent a header block or data: it may ping again to measure.
  void OnDataSent() {
    last_ = kNever;
    strikes_ = 0;
  }
  // A ping has come; false when it was one too many.
  bool OnPing(Nanos now, bool has_streams) {
    // Without a call there is nothing to keep alive: two hours, as gRPC has it.
    constexpr Nanos kIntervalWithoutCalls = 7200 * kSecond;
    const Nanos interval =
        has_streams || limits_.keepalive_permit_without_calls
            ? limits_.received_ping_interval_min
            : std::max(limits_.received_ping_interval_min, kIntervalWithoutCalls);
    const bool early = last_ != kNever && now - last_ < interval;
    last_ = now;
    return !early || limits_.ping_strikes_max == 0 || ++strikes_ <= limits_.ping_strikes_max;
  }

 private:
  const Http2Limits& limits_;
  Nanos last_ = kNever;
  std::uint32_t strikes_ = 0;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_PING_POLICY_H_

// The counters of one listener on one loop.
#ifndef HEADRACE_NET_LISTENER_CELLS_H_
#define HEADRACE_NET_LISTENER_CELLS_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace headrace::net {

// Written by one thread, read by any: adding is a plain load and store.
class CounterCell {
 public:
  void Add(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// The statuses that the transport itself answers with; others count under the last, 400.
inline constexpr std::array kTransportStatuses = {408, 413, 414, 417, 431, 501, 503, 505, 400};

// Why HTTP/2 connections were ended for what the peer did.
enum class Http2Abuse : std::uint8_t {
  kResets,
  kControlFrames,
  kHeaders,
  kPings,
  kFlood,
  kProtocol
};
inline constexpr std::array kHttp2AbuseNames = {"resets", "control_frames", "headers",
                                                "pings",  "flood",          "protocol"};

struct ListenerCells {
  CounterCell http2_connections, http2_streams, grpc_calls, grpc_deadlines;
  CounterCell refused_streams;                              // too many at once, or while draining
  CounterCell handshake_failures;                           // TLS
  std::array<CounterCell, kHttp2AbuseNames.size()> abuses;  // by Http2Abuse
  CounterCell accepted, closed, refused, requests, responses, timeouts, bytes_received, bytes_sent;
  CounterCell cancelled;  // clients gone while their request was in work
  std::array<CounterCell, kTransportStatuses.size()> rejections;  // by kTransportStatuses

  CounterCell& Rejections(int status) {
    const auto* found = std::find(kTransportStatuses.begin(), kTransportStatuses.end() - 1, status);
    return rejections[static_cast<std::size_t>(found - kTransportStatuses.begin())];
  }
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_LISTENER_CELLS_H_

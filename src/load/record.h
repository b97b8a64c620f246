// What is kept of one request that was sent.
#ifndef HEADRACE_LOAD_RECORD_H_
#define HEADRACE_LOAD_RECORD_H_

#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace headrace::load {

// How a request ended. Failures are data: none of them ends a run.
enum class Outcome : std::uint8_t {
  kOk,
  kWrong,        // answered, and not with what was expected (golden outputs)
  kRefused,      // overload: HTTP 429 or 503, gRPC RESOURCE_EXHAUSTED or UNAVAILABLE
  kClientError,  // another HTTP 4xx, gRPC INVALID_ARGUMENT, NOT_FOUND and the like
  kServerError,  // another HTTP 5xx, the other codes of gRPC
  kConnect,      // no connection could be made
  kReset,        // the connection ended before the answer was whole
  kMalformed,    // the answer breaks its protocol
  kTimeout,      // no answer in time; counts as +inf in percentiles
};
inline constexpr int kOutcomeCount = 9;

// "ok", "wrong answer", "refused", ...: the same words in reports, JSON and terminal.
std::string_view OutcomeName(Outcome outcome);

// All times on CLOCK_MONOTONIC. A request that never left (kConnect) has sent = done.
struct RequestRecord {
  Nanos intended = 0;        // when the schedule wanted it sent; equals `sent` in a closed loop
  Nanos sent = 0;            // when its first byte went to the kernel
  Nanos first_response = 0;  // the first whole response (streams; else = done)
  Nanos done = 0;            // when its last response was whole
  std::uint64_t sequence_id = 0;
  std::uint32_t item = 0;            // index into Workload::items
  std::uint32_t response_count = 0;  // responses with content
  std::uint32_t wire_status = 0;     // HTTP status, or gRPC code where the protocol is gRPC
  Outcome outcome = Outcome::kOk;
  bool cold = false;  // the first request of its connection

  Nanos response_time() const { return done - intended; }  // the headline
  Nanos service_time() const { return done - sent; }
  Nanos send_lag() const { return sent - intended; }
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_RECORD_H_

// How often one host may come with a key that opens nothing (reliability, catalogue 131).
#ifndef HEADRACE_FRONTEND_FAILURE_BUDGET_H_
#define HEADRACE_FRONTEND_FAILURE_BUDGET_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/clock.h"
#include "telemetry/prometheus.h"

namespace headrace::frontend {

// Whoever guesses keys is told to wait after some failures a second; what opens is never held back,
// so that nobody can lock out others who come from the same address. (A key has 256 bits: it is not
// the waiting that keeps it from being guessed. The waiting keeps guesses cheap and visible.)
//
// Thread-safe: one short mutex, for refusals only. The memory is fixed: hosts share places, and
// whoever comes to a place takes it from the one that has failed longest ago.
class FailureBudget final : public telemetry::MetricSource {
 public:
  // So many failures a second, and as many at once; 0: no limit. `clock` is borrowed.
  FailureBudget(std::uint64_t per_second, const Clock& clock);
  ~FailureBudget() override;

  // One failure of the host `peer` (net/peer_key.h). False: it has had too many; the answer is 429
  // with Retry-After (gRPC: RESOURCE_EXHAUSTED) in place of the refusal.
  bool Charge(std::uint64_t peer);

  void Collect(telemetry::PrometheusWriter& writer) const override;

 private:
  struct Place {
    std::uint64_t peer = 0;
    double left = 0;
    Nanos failed = 0;  // the last time
    bool taken = false;
  };
  static constexpr std::size_t kSetCount = 1024, kWayCount = 4;
  using Sets = std::array<std::array<Place, kWayCount>, kSetCount>;

  const std::uint64_t per_second_;
  const Clock& clock_;
  std::mutex mutex_;  // guards *sets_
  const std::unique_ptr<Sets> sets_;
  std::atomic<std::uint64_t> failed_count_{0}, held_back_count_{0};
};

// What those hear that are held back.
inline constexpr std::string_view kTooManyFailures =
    "too many requests from this address had no key that opens what they asked for; try again in a "
    "second, with the right one";

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_FAILURE_BUDGET_H_

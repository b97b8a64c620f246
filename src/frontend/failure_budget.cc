#include "frontend/failure_budget.h"

#include <algorithm>

namespace headrace::frontend {

FailureBudget::FailureBudget(std::uint64_t per_second, const Clock& clock)
    : per_second_(per_second), clock_(clock), sets_(std::make_unique<Sets>()) {}

FailureBudget::~FailureBudget() = default;

bool FailureBudget::Charge(std::uint64_t peer) {
  failed_count_.fetch_add(1, std::memory_order_relaxed);
  if (per_second_ == 0) {
    return true;
  }
  const Nanos now = clock_.Now();
  const auto burst = static_cast<double>(per_second_);
  const std::lock_guard lock(mutex_);
  // Multiplied by an odd number, whose upper bits depend on all bits of the address.
  auto& set = (*sets_)[(peer * 0x9e37'79b9'7f4a'7c15U) >> 54];
  Place* place = &set.front();
  for (Place& candidate : set) {
    if (candidate.taken && candidate.peer == peer) {
      place = &candidate;
      break;
    }
    if (!candidate.taken || (place->taken && candidate.failed < place->failed)) {
      place = &candidate;
    }
  }
  if (!place->taken || place->peer != peer) {
    *place = {.peer = peer, .left = burst, .failed = now, .taken = true};
  }
  const double passed_s = static_cast<double>(now - place->failed) / static_cast<double>(kSecond);
  place->left = std::min(burst, place->left + passed_s * burst);
  place->failed = now;
  if (place->left < 1) {
    held_back_count_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  place->left -= 1;
  return true;
}

void FailureBudget::Collect(telemetry::PrometheusWriter& writer) const {
  writer.Family("headrace_key_failures_total", telemetry::MetricKind::kCounter,
                "Requests without a key that opens what they asked for");
  writer.Sample({}, failed_count_.load(std::memory_order_relaxed));
  writer.Family("headrace_key_failures_held_back_total", telemetry::MetricKind::kCounter,
                "Those of them that were answered 429, since their host had failed too often");
  writer.Sample({}, held_back_count_.load(std::memory_order_relaxed));
}

}  // namespace headrace::frontend

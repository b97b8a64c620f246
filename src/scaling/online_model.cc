#include "scaling/online_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/duration_text.h"

namespace headrace::scaling {
namespace {

constexpr int kWindowsAtMost = 4;
// Of p99.9 a thousand, and never so many that a window does not end.
constexpr double kRequestsAtMost = 1000;

std::uint64_t RequestsWanted(double percentile) {
  return static_cast<std::uint64_t>(std::min(kRequestsAtMost, 100 / (100 - percentile)));
}

}  // namespace

OnlineModel::OnlineModel(const engine::OnlineOptions& options)
    : options_(options),
      requests_wanted_(RequestsWanted(options.percentile)),
      reader_(options.sla, options.percentile),
      policy_(options) {}

OnlineDecision OnlineModel::Look(Nanos now, const OnlineView& view, const ScalingDecision& by_load,
                                 const engine::ModelStatistics& statistics) {
  std::optional<LoadWindow> window;
  if (measuring_ && now - window_begin_ >= options_.window) {
    window = reader_.Read(now, statistics);
    if (window->requests < requests_wanted_ &&
        now - window_begin_ < kWindowsAtMost * options_.window) {
      window.reset();
    }
  }
  const OnlineDecision decision =
      policy_.Look(now, view, by_load, window.has_value() ? &*window : nullptr);
  const bool changes = decision.queue_delay != view.queue_delay ||
                       decision.instances.worker_count != view.instance_count;
  if (changes && measuring_ && !window) {
    window = reader_.Read(now, statistics);  // what there is, for those who ask why
  }
  if (window && window->requests > 0) {
    latency_ = window->latency;
  }
  beyond_bounds_ = decision.beyond_bounds;
  if (changes) {
    Pause();
  } else if (window || !measuring_) {
    reader_.Begin(now, statistics);
    window_begin_ = now;
    measuring_ = true;
  }
  return decision;
}

std::string OnlineModel::LatencyText() const {
  if (latency_ == 0) {
    return fmt::format("no p{:g} is known yet, the SLA is {}", options_.percentile,
                       DurationText(options_.sla));
  }
  return fmt::format("p{:g} of {}, the SLA is {}", options_.percentile,
                     latency_ == kNever ? "refused requests" : DurationText(latency_),
                     DurationText(options_.sla));
}

std::string OnlineModel::SlaText() const {
  return fmt::format("p{:g} <= {}", options_.percentile, DurationText(options_.sla));
}

}  // namespace headrace::scaling

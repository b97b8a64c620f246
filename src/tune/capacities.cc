// Step 6 of a search: the capacity of each finalist.
#include <algorithm>

#include "tune/search_state.h"

namespace headrace::tune {
namespace {

constexpr std::size_t kFinalistsMax = 3;
constexpr double kPrecision = 0.03;
constexpr double kAnswered = 1.02;  // the rate by the answers in a short time, give or take
// With fewer probes than these there is no bracket.
constexpr Nanos kProbesMin = 4;
// Requests of a probe that are expected above the percentile.
constexpr double kBeyondPercentile = 2;

// False when it could not be measured.
bool Measure(SearchState& state, Finding& finding, double rate_start, Nanos time) {
  const std::string name = Describe(finding.configuration);
  const auto capacity = state.prober.Capacity(finding.configuration, rate_start, kPrecision, time);
  if (!capacity.ok()) {
    if (!state.prober.Stopped()) {
      finding.failure = std::string(capacity.status().message());
      state.Tell("capacity", "{}: {}", name, finding.failure);
    }
    return false;
  }
  state.report.probe_count += capacity->probes;
  finding.capacity = *capacity;
  // In a short probe a queue can take in more than is ever answered: what was answered counts. The
  // answers come batch by batch, so that one more round of all instances may belong to it.
  const LoadSample& at_rate = capacity->at_rate;
  const double round = finding.configuration.as_found
                           ? 0
                           : finding.configuration.shape.instances *
                                 static_cast<double>(finding.configuration.batch_max);
  const double answered =
      at_rate.achieved + round * static_cast<double>(kSecond) /
                             static_cast<double>(std::max<Nanos>(1, at_rate.duration));
  finding.capacity->rate = std::min(capacity->rate, kAnswered * answered);
  finding.stage = Stage::kCapacity;
  finding.latency = capacity->at_rate.latency;
  if (capacity->rate > 0) {
    state.SawLatency(capacity->at_rate.latency, name);
  }
  state.Tell("capacity", "{}: {} within the SLA ({})", name, RateText(capacity->rate),
             capacity->reason);
  return true;
}

}  // namespace

void FindCapacities(SearchState& state) {
  Rank(state);
  std::vector<Finding>& findings = state.report.findings;
  std::size_t finalists = 0;
  while (finalists < findings.size() && finalists < kFinalistsMax &&
         findings[finalists].rungs > 0) {
    ++finalists;
  }
  // What one of them needs at least; so many as there is time for.
  const Nanos shortest =
      state.probe_min(finalists > 0 ? findings.front().rate() : 0, kBeyondPercentile);
  const Nanos worth_it = kProbesMin * (shortest + shortest / 2);
  finalists = std::min(finalists, static_cast<std::size_t>(std::max<Nanos>(
                                      1, state.Left(StepEnds::kCapacity) / worth_it)));
  const std::size_t as_found = state.options.measure_as_found ? 1 : 0;
  // What was found is for the comparison; where there is no time for all, it gets what is left.
  const bool has_room =
      state.Left(StepEnds::kCapacity) >= static_cast<Nanos>(finalists + as_found) * worth_it;
  double verified = 0;
  double faster = 1;  // than its probes said: the machine moves, and the others' are as old
  for (std::size_t i = 0; i < finalists; ++i) {
    Finding& finding = findings[i];
    const Nanos left = state.Left(StepEnds::kCapacity);
    if (left < worth_it && i > 0) {
      state.report.notes.push_back(
          "the budget ended before the capacity of every finalist was measured");
      break;
    }
    if (left == 0 && state.prober.Stopped()) {
      break;
    }
    const double most = faster * finding.estimate.high;
    if (most < 0.97 * verified && state.options.objective != Objective::kCost) {
      state.report.cuts.push_back({CutRule::kCeiling, Describe(finding.configuration),
                                   fmt::format("at most {} by its probes, and {} are verified",
                                               RateText(most), RateText(verified))});
      continue;
    }
    const auto shares = static_cast<Nanos>(finalists - i + (has_room ? as_found : 0));
    Measure(state, finding, finding.estimate.value, std::max(left / shares, worth_it / 2));
    if (finding.capacity && finding.rate() > verified) {
      verified = finding.rate();
      faster = std::max(1.0, verified / std::max(finding.estimate.value, 1e-9));
    }
  }
  if (as_found > 0 && state.Left(StepEnds::kCapacity) >= worth_it) {
    Finding found{.configuration = {.as_found = true}};
    Measure(state, found, 0, state.Left(StepEnds::kCapacity));
    state.report.as_found = found;
  }
  Rank(state);
}

}  // namespace headrace::tune

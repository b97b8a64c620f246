#include "tune/search.h"

#include <algorithm>

#include "tune/explain.h"
#include "tune/prune.h"
#include "tune/search_state.h"
#include "tune/simulate.h"

namespace headrace::tune {
namespace {

// A prediction below this part of the best one (that needs no more cores) is not worth a probe.
constexpr double kPredictionMin = 0.7;
// Each client lateness counts so many times: latencies below are the client's, not the server's.
constexpr Nanos kJitterTimes = 5;

void PruneByArithmetic(SearchState& state, std::vector<Configuration>& candidates) {
  std::erase_if(candidates, [&](const Configuration& configuration) {
    const Variant* variant = state.space.Find(configuration.variant);
    return variant->accuracy_drop > state.options.accuracy_drop_max ||
           state.hopeless_variants.count(variant->name) > 0;
  });
  Pruned pruned = Prune(state.space, candidates, state.report.times,
                        {.target = state.options.target,
                         .accuracy_drop_max = state.options.accuracy_drop_max,
                         .memory_bytes = state.options.memory_bytes});
  for (Cut& cut : pruned.cuts) {
    state.Tell("prune", "{}: {}", cut.what, cut.reason);
    state.report.cuts.push_back(std::move(cut));
  }
  candidates = std::move(pruned.survivors);
  state.Tell("prune", "{} of {} configurations are left", candidates.size(),
             state.report.space_size);
}

Finding Predicted(const SearchState& state, const Simulator& simulator,
                  const Configuration& configuration) {
  Finding finding{.configuration = configuration,
                  .predicted = simulator.Capacity(configuration),
                  .accuracy_drop = state.space.Find(configuration.variant)->accuracy_drop};
  const ServiceTimes::Column* column =
      state.report.times.FindColumn({configuration.variant, configuration.shape});
  for (const auto& [batch, sample] : *column) {
    if (batch <= configuration.batch_max) {
      finding.memory_bytes = std::max(finding.memory_bytes, sample.memory_bytes);
    }
  }
  return finding;
}

// Whether some of its service times were not measured.
bool IsAssumed(const SearchState& state, const Finding& finding) {
  const Configuration& configuration = finding.configuration;
  const ServiceTimes::Column* column =
      state.report.times.FindColumn({configuration.variant, configuration.shape});
  return std::any_of(column->begin(), column->upper_bound(configuration.batch_max),
                     [](const auto& one) { return one.second.count == 0; });
}

void Predict(SearchState& state, const Simulator& simulator,
             const std::vector<Configuration>& candidates) {
  for (const Configuration& configuration : candidates) {
    if (state.prober.Stopped()) {
      break;
    }
    state.report.findings.push_back(Predicted(state, simulator, configuration));
  }
  std::vector<Finding>& findings = state.report.findings;
  const bool by_cores = state.options.objective != Objective::kThroughput;
  const auto hopeless = [&, all = findings](const Finding& finding) {
    return std::any_of(all.begin(), all.end(), [&](const Finding& other) {
      const double sure = kPredictionMin * (IsAssumed(state, other) ? kPredictionMin : 1);
      return finding.predicted < sure * other.predicted &&
             (!by_cores ||
              (other.cores() <= finding.cores() && other.accuracy_drop <= finding.accuracy_drop));
    });
  };
  const std::size_t met = findings.size();
  const auto none = [](const Finding& finding) { return finding.predicted <= 0; };
  const std::size_t without =
      static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), none));
  std::erase_if(findings,
                [&](const Finding& finding) { return none(finding) || hopeless(finding); });
  if (without > 0) {
    state.report.cuts.push_back({CutRule::kSimulated, fmt::format("{} configurations", without),
                                 "no load that was simulated meets the SLA", without});
  }
  if (met - without > findings.size()) {
    state.report.cuts.push_back(
        {CutRule::kSimulated, fmt::format("{} configurations", met - without - findings.size()),
         fmt::format(
             "simulated with the measured times, their capacity is below {:.0f} % of a better "
             "one's that costs no more",
             kPredictionMin * 100),
         met - without - findings.size()});
  }
  Rank(state);
  if (!findings.empty()) {
    state.Tell("simulate", "{} configurations are worth a probe; the best prediction is {} with {}",
               findings.size(), RateText(findings.front().predicted),
               Describe(findings.front().configuration));
  }
}

void NoteJitter(SearchState& state) {
  Nanos lag = 0;
  for (const Finding& finding : state.report.findings) {
    if (finding.capacity) {
      lag = std::max(lag, finding.capacity->at_rate.send_lag);
    }
  }
  if (lag * kJitterTimes > state.options.target.sla) {
    state.report.notes.push_back(
        fmt::format("the client itself is late by {} (p99), and the SLA is {}: latencies below {} "
                    "say more about "
                    "the client than about the server",
                    DurationText(lag), DurationText(state.options.target.sla),
                    DurationText(lag * kJitterTimes)));
  }
}

void Finish(SearchState& state, const Simulator& simulator) {
  SearchReport& report = state.report;
  Rank(state);
  if (!report.findings.empty() && report.findings.front().capacity &&
      report.findings.front().rate() > 0) {
    report.winner = 0;
    report.why = Explain(report.findings.front(), report, simulator);
  } else if (!report.findings.empty() && report.findings.front().rungs > 0 &&
             report.findings.front().rate() > 0) {
    // The end came before its capacity was found: the estimate is what is known.
    report.winner = 0;
    report.why = Explain(report.findings.front(), report, simulator);
    report.notes.push_back(
        "the winner's rate is an estimate from its probes: there was no time to "
        "find its capacity");
  } else {
    report.advice = Advise(report, state.space);
  }
  NoteJitter(state);
  report.interrupted = state.prober.Stopped();
  report.elapsed = state.elapsed();
}

}  // namespace

void Rank(SearchState& state) {
  const auto rank = [&](const Finding& finding) {
    const int known = !finding.failure.empty() ? 0
                      : finding.capacity       ? (finding.rate() > 0 ? 4 : 1)
                      : finding.rungs > 0      ? 3
                                               : 2;
    return std::pair(known, Score(finding, state.options.objective, state.options.rate_wanted));
  };
  std::stable_sort(state.report.findings.begin(), state.report.findings.end(),
                   [&](const Finding& a, const Finding& b) { return rank(a) > rank(b); });
}

SearchReport Search(const SearchSpace& space, const SearchOptions& options, Prober& prober,
                    const SearchObserver& observer) {
  SearchState state(space, options, prober, observer);
  state.report.target = options.target;
  state.report.objective = options.objective;
  state.report.rate_wanted = options.rate_wanted;
  std::vector<Configuration> candidates = space.All();
  state.report.space_size = candidates.size();
  MeasureServiceTimes(state);
  PruneByArithmetic(state, candidates);
  const Simulator simulator(state.report.times, {.target = options.target,
                                                 .requests = options.simulated_requests,
                                                 .intervals = options.intervals,
                                                 .ahead = options.ahead,
                                                 .seed = options.seed});
  Predict(state, simulator, candidates);
  if (!state.report.findings.empty()) {
    Halve(state, simulator);
    FindCapacities(state);
    Confirm(state);
  }
  Finish(state, simulator);
  return std::move(state.report);
}

}  // namespace headrace::tune

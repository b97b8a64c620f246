// Step 5 of a search: successive halving.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "tune/calibration.h"
#include "tune/search_state.h"

namespace headrace::tune {
namespace {

constexpr std::array<std::size_t, 3> kRungSizes = {27, 9, 3};
constexpr std::array<double, 3> kRungWeights = {2, 8, 30};  // seconds, where the budget allows it
// Where probes go: a little below what is expected, so that most of them tell a latency and not
// only that it was too much.
constexpr double kProbeAt = 0.93;
// Requests of a probe that are expected above the percentile.
constexpr double kBeyondPercentile = 1;
// Standard deviations of logarithms: of a prediction once what all of them have in common is taken
// out, of that common error, and the least of a probe, however narrow its interval.
constexpr double kPredictionSigma = 0.12, kBiasSigma = 0.8, kProbeSigmaMin = 0.04;
constexpr double kInterval = 1.96;  // of the deviations, on each side

// What is known of a logarithm: a mean of what was seen, each by the inverse of its variance.
struct Evidence {
  double weight = 0, sum = 0;

  void Add(double value, double sigma) {
    weight += 1 / (sigma * sigma);
    sum += value / (sigma * sigma);
  }
  double mean() const { return weight > 0 ? sum / weight : 0; }
};

class Halving {
 public:
  Halving(SearchState& state, const Simulator& simulator) : state_(state), simulator_(simulator) {}

  void Run() {
    std::vector<Finding*> candidates = First();
    for (std::size_t rung = 0; rung < kRungSizes.size() && candidates.size() > 0; ++rung) {
      if (rung > 0 && candidates.size() == 1) {
        break;
      }
      Probe(candidates, rung);
      for (Finding& finding : state_.report.findings) {
        Conclude(finding);  // all have told something of what predictions have in common
      }
      std::erase_if(candidates, [](const Finding* finding) { return finding->rate() <= 0; });
      if (state_.Left(StepEnds::kHalving) == 0) {
        break;
      }
      if (rung + 1 < kRungSizes.size()) {
        Promote(candidates, kRungSizes[rung + 1], rung);
      }
    }
  }

 private:
  double ScoreOf(const Finding& finding) const {
    return Score(finding, state_.options.objective, state_.options.rate_wanted);
  }
  void Sort(std::vector<Finding*>& findings) const {
    std::stable_sort(findings.begin(), findings.end(), [this](const Finding* a, const Finding* b) {
      return ScoreOf(*a) > ScoreOf(*b);
    });
  }

  // As many of the best predictions as there is time for.
  std::vector<Finding*> First() {
    std::vector<Finding*> candidates;
    for (Finding& finding : state_.report.findings) {
      candidates.push_back(&finding);
    }
    Sort(candidates);
    const Nanos left = state_.Left(StepEnds::kHalving);
    if (!candidates.empty()) {
      shortest_ = state_.probe_min(candidates.front()->rate(), kBeyondPercentile);
    }
    const auto fit = static_cast<std::size_t>(left / 2 / (shortest_ + state_.change_cost()));
    const std::size_t most = std::max<std::size_t>(3, std::min(kRungSizes[0], fit));
    if (candidates.size() > most) {
      if (most < kRungSizes[0]) {
        state_.report.notes.push_back(fmt::format(
            "the budget allowed to probe {} of {} candidates, those with the best prediction", most,
            candidates.size()));
      }
      candidates.resize(most);
    }
    return candidates;
  }

  void Probe(std::vector<Finding*>& candidates, std::size_t rung) {
    const Nanos duration = DurationFor(candidates.size(), rung);
    // Neighbours differ in as little as possible, so that changes are quick.
    std::vector<Finding*> order = candidates;
    std::stable_sort(order.begin(), order.end(), [](const Finding* a, const Finding* b) {
      return a->configuration < b->configuration;
    });
    for (Finding* finding : order) {
      if (state_.Left(StepEnds::kHalving) < shortest_ && finding->rungs + probed_ > 0) {
        return;
      }
      ProbeOne(*finding, std::min(duration, std::max(shortest_, state_.Left(StepEnds::kHalving))));
      ++probed_;
    }
  }

  Nanos DurationFor(std::size_t count, std::size_t rung) {
    double weight = 0, later = 0;
    for (std::size_t i = rung; i < kRungSizes.size(); ++i) {
      const auto size = static_cast<double>(i == rung ? count : std::min(count, kRungSizes[i]));
      weight += kRungWeights[i] * size;
      later += size;
    }
    const double time = static_cast<double>(state_.Left(StepEnds::kHalving)) -
                        later * static_cast<double>(state_.change_cost());
    const double share = time * kRungWeights[rung] / weight;
    const auto most = static_cast<Nanos>(kRungWeights[rung] * static_cast<double>(kSecond));
    return std::clamp(static_cast<Nanos>(share), shortest_, std::max(most, shortest_));
  }

  void ProbeOne(Finding& finding, Nanos duration) {
    const double rate = std::max(kProbeAt * std::exp(Known(finding).mean()), 0.01);
    const Nanos begin = state_.prober.Now();
    const auto sample = state_.prober.Load(finding.configuration, rate, duration);
    state_.CountProbe(begin, duration);
    const std::string name = Describe(finding.configuration);
    if (!sample.ok()) {
      if (!state_.prober.Stopped()) {
        finding.failure = std::string(sample.status().message());
        state_.Tell("halving", "{}: {}", name, finding.failure);
      }
      return;
    }
    if (sample->requests == 0) {
      return;
    }
    const bool failing =
        static_cast<double>(sample->failures) >
        state_.options.target.failure_share_max * static_cast<double>(sample->requests);
    state_.SawLatency(sample->latency, name);
    LoadSample seen = *sample;
    if (failing) {
      seen.backlog = true;  // its queue was full, or worse
    }
    Take(finding, Calibrate(simulator_, finding.configuration, seen), rate);
    Conclude(finding);
    finding.latency = sample->latency;
    state_.Tell("halving", "{}: {} at {}: capacity about {} ({} to {})", name,
                DurationText(sample->latency), RateText(rate), RateText(finding.estimate.value),
                RateText(finding.estimate.low), RateText(finding.estimate.high));
  }

  void Take(Finding& finding, const CapacityEstimate& estimate, double rate) {
    // Where the calibration finds no load that would do, that is not much less than the lowest.
    const double least = 0.3 * rate;
    const double low = std::max(least, estimate.low), high = std::max(low, estimate.high);
    const double sigma = std::log(high / low) / (2 * kInterval);
    probes_[&finding].Add(std::log(std::clamp(estimate.value, low, high)),
                          std::max(kProbeSigmaMin, sigma));
    finding.estimate = estimate;
    finding.stage = Stage::kProbed;
    ++finding.rungs;
  }

  // A short probe is a few requests, and the prediction is made of many executions: both count, by
  // how sure they are. The error that all predictions have in common is learned from the probes.
  Evidence Known(const Finding& finding) const {
    Evidence bias;
    bias.Add(0, kBiasSigma);
    for (const auto& [probed, evidence] : probes_) {
      bias.Add(std::log(probed->predicted) - evidence.mean(),
               std::sqrt(kPredictionSigma * kPredictionSigma + 1 / evidence.weight));
    }
    Evidence known;
    known.Add(std::log(finding.predicted) - bias.mean(), kPredictionSigma);
    if (const auto probes = probes_.find(&finding); probes != probes_.end()) {
      known.weight += probes->second.weight;
      known.sum += probes->second.sum;
    }
    return known;
  }

  void Conclude(Finding& finding) const {
    if (finding.rungs == 0 || finding.estimate.value <= 0) {
      return;
    }
    const Evidence known = Known(finding);
    const double spread = std::exp(kInterval / std::sqrt(known.weight));
    finding.estimate.value = std::exp(known.mean());
    finding.estimate.low = finding.estimate.value / spread;
    finding.estimate.high = finding.estimate.value * spread;
  }

  // Keeps the best `count`, and whose interval reaches the last of them; never more than twice as
  // many.
  void Promote(std::vector<Finding*>& candidates, std::size_t count, std::size_t rung) {
    Sort(candidates);
    if (candidates.size() <= count) {
      return;
    }
    const double last = candidates[count - 1]->rate();
    std::size_t kept = count;
    while (kept < candidates.size() && kept < 2 * count &&
           candidates[kept]->estimate.high >= last) {
      ++kept;
    }
    if (kept == candidates.size()) {
      return;
    }
    state_.report.cuts.push_back(
        {CutRule::kMeasured,
         fmt::format("{} configurations after rung {}", candidates.size() - kept, rung + 1),
         fmt::format("their capacity is below {} with 95 % certainty, or at least {} others are "
                     "better",
                     RateText(last), kept),
         candidates.size() - kept});
    candidates.resize(kept);
  }

  SearchState& state_;
  const Simulator& simulator_;
  Nanos shortest_ = state_.probe_min();
  std::map<const Finding*, Evidence> probes_;
  int probed_ = 0;
};

}  // namespace

void Halve(SearchState& state, const Simulator& simulator) { Halving(state, simulator).Run(); }

}  // namespace headrace::tune

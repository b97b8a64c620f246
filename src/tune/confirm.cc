// Step 7 of a search: winner, runner-up and what was found, interleaved.
#include <algorithm>
#include <limits>

#include "tune/bootstrap.h"
#include "tune/search_state.h"

namespace headrace::tune {
namespace {

constexpr int kRoundsMax = 3;  // of A B C C B A: six visits each
constexpr std::size_t kVisitsForCertainty = 5;
constexpr Nanos kVisitMax = 10 * kSecond;
// Requests of a visit that are expected above the percentile.
constexpr double kBeyondPercentile = 2;
// A rate that misses the SLA on a visit is lowered, by what was late and within these bounds: the
// search found it on the edge.
constexpr double kStepDownMost = 0.8, kStepDownLeast = 0.97;

struct Contender {
  Finding* finding;
  double rate = 0;  // that it is visited at
  std::vector<double> goodputs{};
  std::vector<double> latencies{};  // seconds
  int met = 0, missed = 0;
};

class Confirmation {
 public:
  explicit Confirmation(SearchState& state) : state_(state) {}

  void Run() {
    std::vector<Contender> contenders = Choose();
    if (contenders.empty()) {
      return;
    }
    Fit(contenders);
    for (int round = 0; round < rounds_; ++round) {
      if (round == 1 && state_.Left(StepEnds::kConfirm) > 0) {
        if (const Status status = state_.prober.Restart(); !status.ok()) {
          state_.report.notes.push_back(
              fmt::format("no fresh server for the confirmation: {}", status.message()));
        }
      }
      for (std::size_t i = 0; i < 2 * contenders.size(); ++i) {
        const std::size_t which = i < contenders.size() ? i : 2 * contenders.size() - 1 - i;
        const auto left = static_cast<Nanos>(
            (rounds_ - round) * 2 * static_cast<int>(contenders.size()) - static_cast<int>(i));
        Visit(contenders[which], left);
      }
    }
    Conclude(contenders);
  }

 private:
  std::vector<Contender> Choose() {
    std::vector<Contender> contenders;
    for (Finding& finding : state_.report.findings) {
      if (contenders.size() < 2 && finding.capacity && finding.capacity->rate > 0) {
        contenders.push_back({.finding = &finding, .rate = finding.capacity->rate});
      }
    }
    auto& found = state_.report.as_found;
    if (!contenders.empty() && found && found->capacity && found->capacity->rate > 0) {
      contenders.push_back({.finding = &*found, .rate = found->capacity->rate});
    }
    return contenders;
  }

  // No more visits than there is time for: those of one round count only if they are all made.
  void Fit(std::vector<Contender>& contenders) {
    const auto visits =
        static_cast<std::size_t>(Left() / (state_.probe_min() + state_.change_cost()));
    if (contenders.size() > 2 && visits < 2 * contenders.size()) {
      contenders.pop_back();  // what was found: who wins is asked first
      skipped_ = true;
    }
    rounds_ = std::clamp(static_cast<int>(visits / (2 * contenders.size())), 1, kRoundsMax);
    skipped_ = skipped_ || rounds_ < kRoundsMax;
  }

  // One change may take twice what the others took, and the budget holds all the same.
  Nanos Left() {
    return std::max<Nanos>(0, state_.Left(StepEnds::kConfirm) - state_.change_cost());
  }

  void Visit(Contender& contender, Nanos visits_left) {
    const Nanos left = Left();
    const Nanos duration =
        std::min(left / visits_left - state_.change_cost(),
                 std::max(kVisitMax, state_.probe_min(contender.rate, kBeyondPercentile)));
    if (duration < state_.probe_min()) {
      skipped_ = true;
      return;
    }
    const Nanos begin = state_.prober.Now();
    const auto sample =
        state_.prober.Load(contender.finding->configuration, contender.rate, duration);
    state_.CountProbe(begin, duration);
    if (!sample.ok() || sample->requests == 0) {
      return;
    }
    const bool met = sample->latency <= state_.options.target.sla;
    requests_least_ = std::min(requests_least_, sample->requests);
    contender.goodputs.push_back(sample->goodput);
    contender.latencies.push_back(static_cast<double>(sample->latency) /
                                  static_cast<double>(kSecond));
    (met ? contender.met : contender.missed) += 1;
    state_.Tell("confirm", "{}: {} at {}, {} of it within the SLA",
                Describe(contender.finding->configuration), DurationText(sample->latency),
                RateText(contender.rate), RateText(sample->goodput));
    if (!met) {
      contender.rate *= std::clamp(sample->goodput / contender.rate, kStepDownMost, kStepDownLeast);
    }
  }

  void Conclude(std::vector<Contender>& contenders) {
    // Who was visited may have been lowered by it: that counts where the others were visited, too.
    if (std::any_of(contenders.begin(), contenders.end(), [](const Contender& contender) {
          return contender.goodputs.empty() && !contender.finding->configuration.as_found;
        })) {
      for (Contender& contender : contenders) {
        contender.goodputs.clear();
      }
    }
    for (Contender& contender : contenders) {
      if (contender.goodputs.empty()) {
        continue;
      }
      contender.finding->confirmed = BootstrapMedian(contender.goodputs, state_.options.seed);
      contender.finding->stage = Stage::kConfirmed;
      if (contender.missed > 0) {
        // The rate that it was lowered to is the one that it kept.
        contender.finding->capacity->rate =
            contender.met > 0 ? contender.rate
                              : std::min(contender.rate, contender.finding->confirmed->value);
        if (contender.met == 0) {
          state_.report.notes.push_back(
              fmt::format("{}: no visit of the confirmation held the SLA, down to {}: its rate is "
                          "what was answered in "
                          "time; give it a longer --budget, or a machine with less beside it",
                          Describe(contender.finding->configuration), RateText(contender.rate)));
        }
      }
    }
    if (skipped_) {
      state_.report.notes.push_back(
          "the budget ended during the confirmation: fewer visits, wider intervals");
    }
    NoteFewRequests();
    Compare(contenders);
    Rank(state_);
  }

  void NoteFewRequests() {
    const double percentile = state_.options.target.percentile;
    if (static_cast<double>(requests_least_) * (1 - percentile / 100) < 1) {
      state_.report.notes.push_back(fmt::format(
          "visits of the confirmation had {} requests and more, and their p{:g} is the slowest of "
          "them: a longer --budget, or a lower percentile, says more",
          requests_least_, percentile));
    }
  }

  // The best of the others against what was found.
  void Compare(const std::vector<Contender>& contenders) {
    const Contender& found = contenders.back();
    const Contender* best = nullptr;
    for (const Contender& contender : contenders) {
      const auto score = [this](const Contender& one) {
        return Score(*one.finding, state_.options.objective, state_.options.rate_wanted);
      };
      if (!contender.finding->configuration.as_found && !contender.goodputs.empty() &&
          (best == nullptr || score(contender) > score(*best))) {
        best = &contender;
      }
    }
    const auto idle = [](double goodput) { return goodput <= 0; };
    if (best == nullptr || !found.finding->configuration.as_found || found.goodputs.empty() ||
        std::any_of(found.goodputs.begin(), found.goodputs.end(), idle)) {
      return;
    }
    const bench::Estimate gain =
        BootstrapRatio(best->goodputs, found.goodputs, state_.options.seed);
    state_.report.gain = gain;
    state_.report.gain_certain =
        found.goodputs.size() >= kVisitsForCertainty && (gain.low > 1 || gain.high < 1);
  }

  SearchState& state_;
  int rounds_ = kRoundsMax;
  bool skipped_ = false;
  std::uint64_t requests_least_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace

void Confirm(SearchState& state) { Confirmation(state).Run(); }

}  // namespace headrace::tune

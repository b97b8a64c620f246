// What the steps of a search share. Private to src/tune.
#ifndef HEADRACE_TUNE_SEARCH_STATE_H_
#define HEADRACE_TUNE_SEARCH_STATE_H_

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tune/search.h"
#include "tune/simulate.h"

namespace headrace::tune {

// Parts of the budget by whose end each step is over; what one leaves is the next one's.
struct StepEnds {
  static constexpr double kServiceTimes = 0.3, kHalving = 0.6, kCapacity = 0.85, kConfirm = 1.0;
};

class SearchState {
 public:
  SearchState(const SearchSpace& space_of, const SearchOptions& options_of, Prober& prober_of,
              const SearchObserver& observer)
      : space(space_of),
        options(options_of),
        prober(prober_of),
        observer_(observer),
        started_(prober_of.Now()) {}

  // Until the step that ends there.
  Nanos Left(double step_end) {
    const auto end = started_ + static_cast<Nanos>(step_end * static_cast<double>(options.budget));
    return prober.Stopped() ? 0 : std::max<Nanos>(0, end - prober.Now());
  }
  Nanos elapsed() { return prober.Now() - started_; }

  template <typename... Args>
  void Tell(std::string_view step, fmt::format_string<Args...> format, Args&&... args) {
    if (observer_) {
      observer_({step, fmt::format(format, std::forward<Args>(args)...)});
    }
  }

  // A probe that was to last `asked` took from `begin` until now: the difference is what changing
  // the configuration costs.
  void CountProbe(Nanos begin, Nanos asked) {
    ++report.probe_count;
    const double more = static_cast<double>(std::max<Nanos>(0, prober.Now() - begin - asked));
    change_cost_ = change_cost_ < 0 ? more : 0.7 * change_cost_ + 0.3 * more;
  }
  Nanos change_cost() const { return static_cast<Nanos>(std::max(0.0, change_cost_)); }

  // The shortest probe that says anything: in less than two SLAs a queue hides that it only grows.
  Nanos probe_min() const { return std::max<Nanos>(300 * kMillisecond, 2 * options.target.sla); }
  // At `rate`, so that `beyond` requests are expected above the percentile: a p99 of 50 requests is
  // their maximum, and whoever is lucky with it wins. Within a part of the budget, so that slow
  // models get an answer, too.
  Nanos probe_min(double rate, double beyond) const {
    constexpr Nanos kPartsOfBudget = 24;
    const double seconds = beyond / (1 - options.target.percentile / 100) / std::max(rate, 1e-6);
    const double most = static_cast<double>(options.budget) / kPartsOfBudget;
    return std::max(probe_min(),
                    static_cast<Nanos>(std::min(most, seconds * static_cast<double>(kSecond))));
  }

  void SawLatency(Nanos latency, const std::string& what) {
    if (latency < report.closest_latency) {
      report.closest_latency = latency;
      report.closest = what;
    }
  }

  const SearchSpace& space;
  const SearchOptions& options;
  Prober& prober;
  SearchReport report;
  // Far slower than another one: by step 2, which has said so in the report's cuts.
  std::set<std::string> hopeless_variants;

 private:
  const SearchObserver& observer_;
  const Nanos started_;
  double change_cost_ = -1;  // nanoseconds; below 0 = not known
};

// Step 2. Fills report.times; variants that cannot be used are in report.cuts.
void MeasureServiceTimes(SearchState& state);
// Step 5. Probes the best of report.findings in rungs and sorts them.
void Halve(SearchState& state, const Simulator& simulator);
// Step 6. Of the finalists, and of what was found.
void FindCapacities(SearchState& state);
// Step 7. Winner and gain.
void Confirm(SearchState& state);

// Best first, by the objective.
void Rank(SearchState& state);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SEARCH_STATE_H_

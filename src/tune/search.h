// The search itself: the steps of docs/tune.md over a Prober.
#ifndef HEADRACE_TUNE_SEARCH_H_
#define HEADRACE_TUNE_SEARCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "tune/prober.h"
#include "tune/report.h"
#include "tune/space.h"

namespace headrace::tune {

struct SearchOptions {
  Target target{};
  Nanos budget = 5 * 60 * kSecond;  // of measuring; simulations count too
  Objective objective = Objective::kThroughput;
  double rate_wanted = 0;        // for Objective::kCost
  double accuracy_drop_max = 1;  // as a part of 1
  std::uint64_t memory_bytes = 0;
  std::vector<Nanos> intervals{};           // gaps of real traffic; empty = Poisson
  bool ahead = false;                       // SimulationPlan::ahead
  std::uint64_t simulated_requests = 2500;  // of each simulated load
  bool measure_as_found = true;             // and compare with it
  std::uint64_t seed = 1;
};

// One line of progress.
struct SearchEvent {
  std::string_view step;  // "service times", "prune", "simulate", "halving", "capacity", "confirm"
  std::string text;
};
using SearchObserver = std::function<void(const SearchEvent&)>;

// Never fails: what could not be measured is in the report, with its reason. `report.model` is the
// caller's.
SearchReport Search(const SearchSpace& space, const SearchOptions& options, Prober& prober,
                    const SearchObserver& observer = nullptr);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SEARCH_H_

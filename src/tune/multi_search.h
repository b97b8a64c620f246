// The search for several models that share a machine: docs/tune.md, "Several models".
#ifndef HEADRACE_TUNE_MULTI_SEARCH_H_
#define HEADRACE_TUNE_MULTI_SEARCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/level.h"
#include "tune/multi_division.h"
#include "tune/multi_prober.h"
#include "tune/search.h"
#include "tune/service_times.h"
#include "tune/space.h"

namespace headrace::tune {

struct MultiModel {
  std::string name;
  Target target{};
  double share = 1;
  SearchSpace space{};
  bool ahead = false;  // SimulationPlan::ahead
};

struct MultiSearchOptions {
  Nanos budget = 5 * 60 * kSecond;
  int cores = 1;                 // of all models together
  double accuracy_drop_max = 1;  // as a part of 1
  std::uint64_t memory_bytes = 0;
  std::uint64_t simulated_requests = 1500;
  std::uint64_t seed = 1;
};

// A division of the machine that was measured under the mixed load.
struct MeasuredDivision {
  Division division{};
  double rate = 0;         // of all requests, the highest at which every model met its SLA
  double rate_missed = 0;  // the lowest at which one did not; 0 = none was seen
  std::string missed{};    // which model, and by how much
  MixSample at_rate{};     // the last probe that met it
  std::string failure{};   // why it could not be measured; "" = it could
  std::optional<bench::Estimate> confirmed{};  // goodput of all, over the visits
};

struct MultiPart {
  std::string name;
  Target target{};
  double part = 0;  // of all requests
  ServiceTimes times{};
  std::vector<Cut> cuts{};
  std::vector<DivisionChoice> choices{};  // what it would serve with its cores to itself, simulated
  std::vector<Nanos> latencies{};  // of the winner's visits in the confirmation, its percentile
};

struct MultiReport {
  std::vector<MultiPart> models;
  std::vector<MeasuredDivision> divisions;  // best first; those that were not measured have rate 0
  std::optional<MeasuredDivision> as_found;
  bool met = false;                     // divisions.front() is the answer
  std::optional<bench::Estimate> gain;  // its goodput by as_found's, with its 95 % interval
  bool found_is_better() const { return gain && gain->value < 1; }
  std::vector<std::string> notes;
  int probe_count = 0;
  Nanos elapsed = 0;
  bool interrupted = false;
};

// Never fails: what could not be measured is in the report, with its reason.
MultiReport SearchSeveral(const std::vector<MultiModel>& models, const MultiSearchOptions& options,
                          MultiProber& prober, const SearchObserver& observer = nullptr);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_SEARCH_H_

// What a search found: plain values, for people and machines.
#ifndef HEADRACE_TUNE_REPORT_H_
#define HEADRACE_TUNE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/level.h"
#include "tune/calibration.h"
#include "tune/configuration.h"
#include "tune/prober.h"
#include "tune/prune.h"
#include "tune/service_times.h"

namespace headrace::tune {

enum class Objective : std::uint8_t {
  kThroughput,  // the most requests per second
  kCost,        // the fewest cores for the rate that is wanted; without one, the most for each core
  kPareto,      // all that nothing else beats in everything; the winner as for throughput
};

// How far a configuration came.
enum class Stage : std::uint8_t { kSimulated, kProbed, kCapacity, kConfirmed };
std::string_view StageName(Stage stage);

struct Finding {
  Configuration configuration{};
  Stage stage = Stage::kSimulated;
  double predicted = 0;         // capacity by simulation of the measured service times
  CapacityEstimate estimate{};  // from its last probe; value 0 = it was not probed
  int rungs = 0;                // that it was probed in
  std::optional<CapacitySample> capacity{};
  std::optional<bench::Estimate> confirmed{};  // goodput at its capacity, over the visits
  Nanos latency = 0;                           // the percentile at the rate that was found
  std::uint64_t memory_bytes = 0;
  double accuracy_drop = 0;
  std::string failure{};  // why it could not be measured; "" = it could

  // Requests per second within the SLA, as well as it is known.
  double rate() const;
  int cores() const { return configuration.shape.cores(); }
};

// What keeps the rate from being higher.
enum class Binds : std::uint8_t { kNothing, kSla, kCompute, kMemory, kQueue, kClient };
std::string_view BindsName(Binds binds);

struct Why {
  Binds binds = Binds::kNothing;
  std::string text;  // one or two sentences with figures
};

struct SearchReport {
  std::string model;
  Target target;
  Objective objective = Objective::kThroughput;
  double rate_wanted = 0;
  std::size_t space_size = 0;  // configurations in the space
  ServiceTimes times;
  std::vector<Cut> cuts;
  std::vector<Finding> findings;      // whatever got beyond arithmetic, best first
  std::optional<Finding> as_found;    // what the server had; nothing = not measured
  std::optional<std::size_t> winner;  // of findings; nothing = nothing meets the SLA
  // Winner's rate by as_found's, with its 95 % interval; nothing = not compared.
  std::optional<bench::Estimate> gain;
  bool gain_certain = false;  // the interval excludes 1
  // The winner did worse than what was found where both were confirmed: nothing is to be applied.
  bool found_is_better() const { return gain && gain->value < 1; }
  Why why;
  // Of nothing that meets the SLA: the lowest latency that was seen, at any load, and by what.
  Nanos closest_latency = kNever;
  std::string closest;
  std::vector<std::string> advice;  // what would help
  std::vector<std::string> notes;   // what the reader has to know: the client's jitter, cut budgets
  int probe_count = 0;
  Nanos elapsed = 0;
  bool interrupted = false;
};

// Whether `a` is as good as `b` in everything (rate, cores, memory, accuracy) and better in one.
bool Dominates(const Finding& a, const Finding& b);
// Findings with a measured rate that none dominates, by rate from the highest. Indices.
std::vector<std::size_t> ParetoSet(const std::vector<Finding>& findings);
// By which findings are ranked; higher is better.
double Score(const Finding& finding, Objective objective, double rate_wanted);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_REPORT_H_

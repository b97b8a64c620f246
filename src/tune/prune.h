// What arithmetic alone rules out. Pure; every cut says why.
#ifndef HEADRACE_TUNE_PRUNE_H_
#define HEADRACE_TUNE_PRUNE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tune/configuration.h"
#include "tune/prober.h"
#include "tune/service_times.h"
#include "tune/space.h"

namespace headrace::tune {

enum class CutRule : std::uint8_t {
  kAccuracy,
  kFailed,      // could not be measured
  kSlaAtOne,    // s(1) above the SLA
  kSlaOfBatch,  // s(b) above the SLA
  kNoBacklog,   // 2 s(b) above the SLA: without delay only
  kNoGain,      // a smaller batch is as good
  kScaling,     // beyond the peak of the USL
  kMemory,
  kCeiling,    // cannot reach what was verified already
  kSimulated,  // the simulation says that others are far better
  kMeasured,   // so does the measurement
  kOutOfTime,  // the budget ended before it was measured
};
std::string_view CutRuleName(CutRule rule);

struct Cut {
  CutRule rule;
  std::string what;       // "int8, 2 instances: batch 8 and more"
  std::string reason;     // "one execution takes 130 ms, and the SLA is 100 ms"
  std::size_t count = 1;  // configurations that it removes
};

struct PruneLimits {
  Target target{};
  double accuracy_drop_max = 1;    // as a part of 1
  std::uint64_t memory_bytes = 0;  // that a model may use; 0 = no limit
  double verified_rate = 0;        // a capacity that was measured already
  double gain_min = 0.03;          // of s(b)/b
};

struct Pruned {
  std::vector<Configuration> survivors;
  std::vector<Cut> cuts;
};

// `configurations` whose variant and shape are not in `times` are cut as kFailed.
Pruned Prune(const SearchSpace& space, const std::vector<Configuration>& configurations,
             const ServiceTimes& times, const PruneLimits& limits);

// The variant alone: nothing when it may go on. Asked before its times are measured.
std::vector<Cut> PruneVariants(const SearchSpace& space, double accuracy_drop_max);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_PRUNE_H_

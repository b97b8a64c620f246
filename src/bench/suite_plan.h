// The points of a suite, in the order in which they are measured. Pure.
#ifndef HEADRACE_BENCH_SUITE_PLAN_H_
#define HEADRACE_BENCH_SUITE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "bench/config_change.h"
#include "bench/level.h"
#include "bench/suite_spec.h"

namespace headrace::bench {

inline constexpr std::size_t kSuitePointsMax = 20'000;

// One configuration under one load, once.
struct SuitePoint {
  std::size_t model = 0;          // index into SuiteSpec::models
  std::size_t configuration = 0;  // number of the configuration, from 0; equal = nothing to change
  ConfigChange change;            // TorchServe: instance_count = workers, max_batch_size, delay
  std::int64_t request_batch_size = 1;
  int round = 1;    // of SuiteModel::repeat
  LevelSpec level;  // with labels: model, device, instances, max_batch, delay_us, request_batch,
                    // round; those that are not varied and not given are left out
  // "resnet18, instances 2 x cpu, max batch 8 | closed, 8 at a time | round 1 of 3": for people.
  std::string name;
  // Equal for points that measure the same, whatever else the file says: what a resumed run goes
  // by. The name with a digest of durations, inputs and the other settings.
  std::string key;
};

// The points of each model lie together, and those of one configuration in them: first all loads
// of round 1, then those of round 2, so that slow drift does not fall on one load alone. The
// configurations change what costs most last: devices outermost, then batch sizes, delays, and
// instances, which a running model of ours is given without loading it again. INVALID_ARGUMENT for
// more than kSuitePointsMax points.
Result<std::vector<SuitePoint>> PlanSuite(const SuiteSpec& spec);

std::size_t ConfigurationCount(const std::vector<SuitePoint>& points);

// How long a point will take. `known_rate`: requests per second that the point's model answered
// lately, for points that end by a count (0 = not known: then by time, 30 s at most).
Nanos EstimatedTime(const SuitePoint& point, double known_rate);

// Of `points` from `first` on, with `reload_time` for each change of configuration.
Nanos EstimatedTime(const std::vector<SuitePoint>& points, std::size_t first, double known_rate,
                    Nanos reload_time);

// TorchServe's name of a case: <mode>_<model>_w<workers>_b<batch>.
std::string CaseName(const SuiteModel& model, const SuitePoint& point);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_PLAN_H_

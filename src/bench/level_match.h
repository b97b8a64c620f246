// Levels of two results that measured the same. Pure.
#ifndef HEADRACE_BENCH_LEVEL_MATCH_H_
#define HEADRACE_BENCH_LEVEL_MATCH_H_

#include <string>
#include <vector>

#include "bench/level.h"
#include "bench/result_json.h"

namespace headrace::bench {

// A level with all its rounds: histograms joined, rates averaged.
struct MatchedLevel {
  std::string name;  // "resnet18, instances 2, poisson 50/s"
  LevelResult level;
};

// Levels of the same labels (but for the round) and the same load are one, in their first order.
std::vector<MatchedLevel> JoinRounds(const std::vector<LevelResult>& levels);

struct LevelPair {
  std::string name;
  LevelResult before, after;
};
struct LevelPairs {
  std::vector<LevelPair> pairs;
  std::vector<std::string> only_before, only_after;  // names
};
LevelPairs MatchLevels(const ResultDocument& before, const ResultDocument& after);

// One figure of a level, with its interval.
enum class Metric : std::uint8_t { kThroughput, kGoodput, kPercentile, kMean, kMax, kFailures };
struct MetricChoice {
  Metric metric = Metric::kPercentile;
  double percentile = 99;  // of kPercentile
  bool higher_is_better() const {
    return metric == Metric::kThroughput || metric == Metric::kGoodput;
  }
};
std::string MetricName(const MetricChoice& choice);  // "throughput", "p99", ...
// Per second, nanoseconds, or the share of requests (failures); unbounded where nothing is known.
Estimate MetricOf(const LevelResult& level, const MetricChoice& choice);
std::string MetricText(double value, const MetricChoice& choice);  // "12.3 ms", "1,002 /s", "0.1 %"

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_LEVEL_MATCH_H_

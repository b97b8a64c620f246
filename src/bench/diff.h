// `headrace bench diff`: two results side by side. Pure.
#ifndef HEADRACE_BENCH_DIFF_H_
#define HEADRACE_BENCH_DIFF_H_

#include <string>
#include <vector>

#include "bench/level_match.h"
#include "bench/result_json.h"

namespace headrace::bench {

enum class DiffVerdict : std::uint8_t { kBetter, kWorse, kNoDifference };
std::string_view DiffVerdictName(DiffVerdict verdict);  // "better", "worse", "no difference"

struct DiffRow {
  std::string level;
  MetricChoice metric;
  Estimate before, after;
  double change = 0;  // after / before - 1; failures: the difference of the shares
  DiffVerdict verdict = DiffVerdict::kNoDifference;
};

struct DiffResult {
  std::vector<DiffRow> rows;  // by level, throughput, p50, p99 (or the spec's), mean, failures
  std::vector<std::string> only_before, only_after;
  // What differs of where they were measured: figures of two machines say little of two programs.
  std::vector<std::string> environment;
  bool any_worse = false;
};

// A figure is better or worse when its 95 % intervals do not overlap and it changed by more than
// `least_change` (0.01 = 1 %).
DiffResult Diff(const ResultDocument& before, const ResultDocument& after, double least_change);

std::string DiffText(const DiffResult& diff);  // a table for the terminal
std::string DiffJson(const DiffResult& diff);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_DIFF_H_

// What a suite is told as: the result document, ab_report.csv, report.md and stats_metrics.json
// (contracts, TorchServe 10.2). Pure.
#ifndef HEADRACE_BENCH_SUITE_REPORT_H_
#define HEADRACE_BENCH_SUITE_REPORT_H_

#include <string>
#include <vector>

#include "bench/result_json.h"
#include "bench/suite_plan.h"
#include "bench/suite_spec.h"
#include "bench/suite_state.h"

namespace headrace::bench {

struct SuiteReportHead {
  std::string date;            // "2026-11-30 04:05:06", local time
  std::string server_version;  // "headrace 0.1.0", "torchserve 0.12.0"
  bool interrupted = false;
};

// A point with its result; null = not measured (yet).
struct SuiteRow {
  const SuitePoint* point = nullptr;
  const PointResult* result = nullptr;
};
std::vector<SuiteRow> RowsOf(const std::vector<SuitePoint>& plan, const SuiteState& state);

// The columns, in TorchServe's order; with `handler_profiling` three more.
std::vector<std::string> AbColumns(bool handler_profiling);
// The values of one row, as text, in the same order; a point that has no level counts as wholly
// failed.
std::vector<std::string> AbValues(const SuiteSpec& spec, const SuiteRow& row,
                                  bool handler_profiling);

// Header and one row for each point that has a result. A point's own file has one row.
std::string AbCsv(const SuiteSpec& spec, const std::vector<SuiteRow>& rows);

// TorchServe's report.md: one table for each model, one row for each of its points.
std::string ReportMarkdown(const SuiteSpec& spec, const std::vector<SuiteRow>& rows,
                           const SuiteReportHead& head);

// CloudWatch's form: a list of {MetricName, Dimensions, Unit, Value}.
std::string StatsMetricsJson(const SuiteSpec& spec, const std::vector<SuiteRow>& rows);

// All that was measured as levels; the failures as the extension
// {"suite": {"file": ..., "points": n, "failures": [{"point": ..., "reason": ...}], "warnings":
// []}}.
void FillDocument(const SuiteSpec& spec, const std::vector<SuiteRow>& rows,
                  ResultDocument& document);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_REPORT_H_

// The folder of a suite: its state, its results, its reports.
#ifndef HEADRACE_BENCH_SUITE_FILES_H_
#define HEADRACE_BENCH_SUITE_FILES_H_

#include <string>
#include <vector>

#include "bench/result_json.h"
#include "bench/suite_report.h"

namespace headrace::bench {

// Below `folder`: state.jsonl, server.log, and what WriteSuiteFiles writes.
std::string SuiteStatePath(const std::string& folder);
std::string SuiteLogPath(const std::string& folder);

// result.json, report.html, report.md, ab_report.csv, stats_metrics.json, and, for TorchServe's
// form, <case>/ab_report.csv of each point, as auto_benchmark leaves them. UNAVAILABLE names the
// file that cannot be written.
Status WriteSuiteFiles(const std::string& folder, const SuiteSpec& spec,
                       const std::vector<SuiteRow>& rows, const SuiteReportHead& head,
                       const ResultDocument& document);

// Runs a shell command of the suite file, with "today()" and "version()" in it replaced. The status
// it ended with is in the message of a failure.
Status RunSuiteCommand(const std::string& command, const SuiteReportHead& head);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_FILES_H_

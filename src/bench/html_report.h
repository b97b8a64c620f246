// A result as one HTML page: no external assets, plots as inline SVG, light and dark, for paper
// too.
#ifndef HEADRACE_BENCH_HTML_REPORT_H_
#define HEADRACE_BENCH_HTML_REPORT_H_

#include <string>

#include "base/result.h"
#include "bench/result_json.h"

namespace headrace::bench {

// Of a run, a suite or a capacity search: throughput and p99 against load, where the latency goes,
// batch sizes, percentile curves, seconds, every level as a row, the environment. Pure. All text
// that comes from outside is escaped.
std::string HtmlReport(const ResultDocument& document);

// The same as a file, replaced in one step. "-" is the standard output. UNAVAILABLE names the file.
Status WriteHtmlReport(const std::string& path, const ResultDocument& document);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_HTML_REPORT_H_

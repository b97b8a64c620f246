// A run in plain text: for the terminal.
#ifndef HEADRACE_BENCH_TEXT_REPORT_H_
#define HEADRACE_BENCH_TEXT_REPORT_H_

#include <span>
#include <string>

#include "bench/capacity.h"
#include "bench/result_json.h"

namespace headrace::bench {

// "identity_fp32 at 127.0.0.1:8000 (v2 http), INPUT0 FP32 [1,16]".
std::string HeadText(const ResultDocument& document);
// All of one level: rates, latencies, where the time goes, verdict. `verbosity`: 1 adds the
// server's batches and gauges, 2 each second.
std::string LevelText(const LevelResult& level, const ResultDocument& document, int verbosity);
// One row for each level.
std::string LevelTable(std::span<const LevelResult> levels);
// One line of a search.
std::string ProbeText(const CapacityProbe& probe);
std::string CapacityText(const CapacityResult& capacity, const CapacitySpec& spec);

// "stable", or "not stable: drift, backlog".
std::string VerdictText(const Verdict& verdict);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_TEXT_REPORT_H_

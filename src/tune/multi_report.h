// What was found for several models, for people and for machines. Pure.
#ifndef HEADRACE_TUNE_MULTI_REPORT_H_
#define HEADRACE_TUNE_MULTI_REPORT_H_

#include <cstddef>
#include <string>

#include "tune/multi_search.h"

namespace headrace::tune {

// For a terminal: all together, each model, what binds, the other divisions, notes.
std::string MultiReportText(const MultiReport& report);
// One JSON object: the `extension` of a result document of kind "tune" (docs/tune.md).
std::string MultiReportJson(const MultiReport& report);
// A page: the answer, how the machine was divided, and of each model what it would serve alone over
// the cores, its service times and its cuts.
std::string MultiReportHtml(const MultiReport& report);
// The percentile of a model's latency in the answer: over the visits of the confirmation, else of
// the probe that found the rate; kNever = not known. Needs `report.met`.
Nanos MultiLatency(const MultiReport& report, std::size_t index);
// "A: 1 instance x 1 thread, no batching; B: ..."
std::string DivisionText(const MultiReport& report, const Division& division);
// What is known of a division in a few words.
std::string MeasuredText(const MeasuredDivision& measured);
// The model's part in a few lines, for the head of its configuration file.
std::string MultiComment(const MultiReport& report, std::size_t index);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_REPORT_H_

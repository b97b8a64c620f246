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
// The model's part in a few lines, for the head of its configuration file.
std::string MultiComment(const MultiReport& report, std::size_t index);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_REPORT_H_

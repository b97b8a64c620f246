// A report for people and for machines. Pure.
#ifndef HEADRACE_TUNE_REPORT_TEXT_H_
#define HEADRACE_TUNE_REPORT_TEXT_H_

#include <string>

#include "tune/report.h"

namespace headrace::tune {

// For a terminal: the answer first, then why, the Pareto set, what was left out and what to note.
std::string ReportText(const SearchReport& report);
// One JSON object: the `extension` of a result document of kind "tune" (docs/tune.md).
std::string ReportJson(const SearchReport& report);
// A page with the Pareto plot, the service times and every cut.
std::string ReportHtml(const SearchReport& report);

// The winner in a few lines, for the head of a configuration file.
std::string WinnerComment(const SearchReport& report);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_REPORT_TEXT_H_

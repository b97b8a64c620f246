// What keeps the winner from more, and what would help where nothing meets the SLA. Pure.
#ifndef HEADRACE_TUNE_EXPLAIN_H_
#define HEADRACE_TUNE_EXPLAIN_H_

#include <string>
#include <vector>

#include "tune/report.h"
#include "tune/simulate.h"
#include "tune/space.h"

namespace headrace::tune {

Why Explain(const Finding& winner, const SearchReport& report, const Simulator& simulator);

// Of a report without a winner.
std::vector<std::string> Advise(const SearchReport& report, const SearchSpace& space);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_EXPLAIN_H_

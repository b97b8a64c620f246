// The plots and tables that the pages of one model and of several have in common. Pure.
#ifndef HEADRACE_TUNE_REPORT_PLOTS_H_
#define HEADRACE_TUNE_REPORT_PLOTS_H_

#include <string>
#include <utility>
#include <vector>

#include "bench/html_page.h"
#include "tune/configuration.h"
#include "tune/prune.h"
#include "tune/service_times.h"

namespace headrace::tune {

// A configuration and what it serves.
struct RatePoint {
  Configuration configuration{};
  double rate = 0;
  double low = 0, high = 0;  // of the interval; equal = none
};
// Rates over cores, one series for each name: what is above and to the left is better. The first
// series is a line, the others are points; `title` is for screen readers.
std::string RatePlot(std::string title,
                     std::vector<std::pair<std::string, std::vector<RatePoint>>> series);

// Of one model: mean times over batches, one line for each variant and shape, with the SLA where it
// lies among them.
void AddServiceTimes(const ServiceTimes& times, Nanos sla, bench::HtmlPage& page);

void AddCuts(const std::vector<Cut>& cuts, bench::HtmlPage& page);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_REPORT_PLOTS_H_

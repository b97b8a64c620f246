// What a server says of its models at one moment.
#ifndef HEADRACE_TOP_READING_H_
#define HEADRACE_TOP_READING_H_

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/metrics_text.h"
#include "load/server_control.h"

namespace headrace::top {

struct Reading {
  Nanos at = 0;        // CLOCK_MONOTONIC
  std::string server;  // "headrace 0.1.0"
  std::map<std::string, std::vector<load::ModelStatistics>> models;
  load::MetricFamilies metrics;                  // empty: the server has no metrics page
  std::map<std::string, std::string> not_ready;  // model -> its state and reason
};

// Blocks. UNAVAILABLE where the server does not answer. Without a metrics page, or an index, the
// reading has none.
Result<Reading> Read(load::ServerControl& control, const Clock& clock);

}  // namespace headrace::top

#endif  // HEADRACE_TOP_READING_H_

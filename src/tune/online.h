// What `headrace tune --online` adds to a configuration: the SLA, and the bounds within which the
// server may vary queue delay and instances (docs/tune.md).
#ifndef HEADRACE_TUNE_ONLINE_H_
#define HEADRACE_TUNE_ONLINE_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tune/prober.h"
#include "tune/report.h"

namespace headrace::tune {

struct OnlineBounds {
  Target target{};
  Nanos delay_max = 0;    // from 0
  int instances_max = 1;  // from 1
};

// What was measured to hold the SLA with the winner's variant, threads and batches. Nothing where
// that leaves nothing to vary, or there is no winner.
std::optional<OnlineBounds> OnlineBoundsOf(const SearchReport& report, const Target& target);

// "online: p99 <= 100 ms with queue delays of 0 to 10 ms and 1 to 4 instances".
std::string BoundsText(const OnlineBounds& bounds);

// Parameters of a configuration, by name (repository/online_parameters.h). None of them belongs
// into a configuration that is measured.
std::vector<std::pair<std::string, std::string>> OnlineParameters(const OnlineBounds& bounds);
// The same for a config.pbtxt.
std::string OnlineFields(const OnlineBounds& bounds);
// `config_json` with them.
Result<std::string> WithOnline(std::string_view config_json, const OnlineBounds& bounds);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ONLINE_H_

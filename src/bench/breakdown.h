// Where the time between a request's intended send and its answer goes.
#ifndef HEADRACE_BENCH_BREAKDOWN_H_
#define HEADRACE_BENCH_BREAKDOWN_H_

#include <string>
#include <string_view>
#include <vector>

#include "bench/level.h"

namespace headrace::bench {

struct TimePart {
  std::string_view name;     // "client queue", "network", "server queue", ...
  double mean = 0;           // nanoseconds
  std::string_view meaning;  // one line
};

// Means, which add up to that of the response time: client queue, network and client, server queue,
// compute input, infer, output, cache, and what else the server does. `model`: whose server
// figures count; without any: client queue and service time. Only means of what ended well are
// known of both sides, so a part that would be negative is 0.
std::vector<TimePart> Breakdown(const LevelResult& level, const std::string& model);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BREAKDOWN_H_

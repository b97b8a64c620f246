// One way to serve a model: what is searched.
#ifndef HEADRACE_TUNE_CONFIGURATION_H_
#define HEADRACE_TUNE_CONFIGURATION_H_

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/duration_text.h"

namespace headrace::tune {

struct Shape {
  int instances = 1;
  int threads = 0;  // of each instance; 0 = as the backend has it

  int cores() const { return instances * std::max(1, threads); }
  auto operator<=>(const Shape&) const = default;
};

struct Configuration {
  // What the server has: the other fields say nothing then.
  bool as_found = false;
  std::string variant{};  // of SearchSpace::variants
  Shape shape{};
  std::int64_t batch_max = 1;  // 1 = no dynamic batching
  Nanos delay = 0;             // max_queue_delay

  auto operator<=>(const Configuration&) const = default;
};

// "2 instances x 1 thread": the words of every report.
std::string Describe(const Shape& shape);
// "2 instances x 1 thread, batch 8, delay 2 ms", with the variant in front if it has a name; "as it
// was found".
std::string Describe(const Configuration& configuration);

// "1,234/s", "12.3/s".
std::string RateText(double rate);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_CONFIGURATION_H_

// What a model is to hold while its traffic changes, and within which bounds (docs/tune.md,
// online).
#ifndef HEADRACE_ENGINE_ONLINE_OPTIONS_H_
#define HEADRACE_ENGINE_ONLINE_OPTIONS_H_

#include <cstdint>

#include "base/clock.h"

namespace headrace::engine {

struct OnlineOptions {
  Nanos sla = 0;  // of a request, from its receipt to its end in this server
  double percentile = 99;
  // Where the two are the same, it is left as it is.
  Nanos queue_delay_min = 0, queue_delay_max = 0;
  std::int64_t instance_count_min = 1, instance_count_max = 1;
  Nanos window = kSecond;             // of measurement, at least
  Nanos shrink_after = 60 * kSecond;  // of low load, at least
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_ONLINE_OPTIONS_H_

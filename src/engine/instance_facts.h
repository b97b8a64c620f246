// What can be told of an instance from outside.
#ifndef HEADRACE_ENGINE_INSTANCE_FACTS_H_
#define HEADRACE_ENGINE_INSTANCE_FACTS_H_

#include <cstdint>
#include <string>

#include "engine/instance_health.h"

namespace headrace::engine {

// The process of its own that an instance runs in. All zero: it has none, or none is running.
struct InstanceProcess {
  std::int64_t id = 0;               // as the system numbers it
  std::int64_t started_unix_ms = 0;  // when it was started, in milliseconds since 1970, UTC
};

struct InstanceFacts {
  std::string name;  // of its placement
  bool on_gpu = false;
  int device_id = 0;
  InstanceHealth health;
  InstanceProcess process;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_INSTANCE_FACTS_H_

// Whether an instance can execute.
#ifndef HEADRACE_ENGINE_INSTANCE_HEALTH_H_
#define HEADRACE_ENGINE_INSTANCE_HEALTH_H_

#include <cstdint>
#include <functional>
#include <string>

namespace headrace::engine {

struct InstanceHealth {
  enum class State : std::uint8_t {
    kReady,
    kRecovering,  // will be ready soon: requests wait for it, if no other instance is ready
    kDown,        // nobody knows when: if all are, requests are refused at once
  };
  State state = State::kReady;
  std::string reason{};  // why it is not ready, to go after its name: "is restarting after: ..."

  bool operator==(const InstanceHealth&) const = default;
};

// Told whenever the health changes. Any thread may call it, one call at a time; it does not block
// for long.
using HealthListener = std::function<void(const InstanceHealth&)>;

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_INSTANCE_HEALTH_H_

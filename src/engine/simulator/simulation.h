// Runs the real queue core, policy, dispatcher, requests and answer ordering on a virtual clock, in
// one thread, from one seed.
#ifndef HEADRACE_ENGINE_SIMULATOR_SIMULATION_H_
#define HEADRACE_ENGINE_SIMULATOR_SIMULATION_H_

#include <cstdint>
#include <string>

#include "engine/simulator/queue_under_test.h"

namespace headrace::engine::simulator {

struct SimulationOptions {
  std::uint64_t seed = 1;
  bool trace = false;  // print every event
  QueueFactory queue = RealQueue();
  int lost_wakeup_percent =
      0;  // a planted bug of the caller's: wake-ups that do not reach their runner
};

struct SimulationResult {
  std::string violation;  // the first broken rule (checker.h); empty = none
  std::uint64_t event_count = 0;
  std::uint64_t request_count = 0;
  std::uint64_t batch_count = 0;
};

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_SIMULATION_H_

// Runs the real sequence core on a virtual clock, in one thread, from one seed, and holds it to
// these rules after every event:
//
//  1. A request ends once, and in the end every request has ended and nothing is left.
//  2. The steps of a sequence execute in the order in which they came, one at a time, in one
//     instance, and with the direct strategy in one slot of it; the state that a step sees is that
//     which the step before it left, or the initial one after START.
//  3. A batch has one shape, at most batch_size_max requests, at most one of a sequence, and with
//  the
//     direct strategy entry i is of slot i.
//  4. A request that was cancelled when the batch was formed is not in it.
//  5. START is asked for exactly when no live sequence has the id; otherwise a request is refused
//     only where it would pass a limit.
//  6. A sequence ends by END, by its own cancellation, after an idle time of no less than the
//     limit, or by a timeout in the backlog that is over; and then at that time.
//  7. Before time moves on: no request of a sequence that has a slot and does nothing waits, longer
//     than the batch delay, while its instance is idle. The backlog is empty unless all slots are
//     taken.
#ifndef HEADRACE_ENGINE_SIMULATOR_SEQUENCE_SIMULATION_H_
#define HEADRACE_ENGINE_SIMULATOR_SEQUENCE_SIMULATION_H_

#include <cstdint>

#include "engine/simulator/sequences_under_test.h"
#include "engine/simulator/simulation.h"

namespace headrace::engine::simulator {

struct SequenceSimulationOptions {
  std::uint64_t seed = 1;
  bool trace = false;
  SequencesFactory sequences = RealSequences();
  int lost_wakeup_percent = 0;
};

SimulationResult SimulateSequences(const SequenceSimulationOptions& options);

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_SEQUENCE_SIMULATION_H_

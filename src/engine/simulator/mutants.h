// Planted bugs: policies and queues that break one promise each, to prove that the simulator's
// rules catch it.
#ifndef HEADRACE_ENGINE_SIMULATOR_MUTANTS_H_
#define HEADRACE_ENGINE_SIMULATOR_MUTANTS_H_

#include <string>
#include <vector>

#include "engine/simulator/queue_under_test.h"

namespace headrace::engine::simulator {

struct Mutant {
  std::string name;
  QueueFactory queue;
  int lost_wakeup_percent = 0;
};

// All of them. Each is caught within kMutantSeedsMax seeds.
std::vector<Mutant> Mutants();
inline constexpr int kMutantSeedsMax = 300;

// A plain, slow queue that keeps every rule: what the broken ones are made from.
QueueFactory PlainQueue();

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_MUTANTS_H_

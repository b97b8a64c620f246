// What one seed stands for: a model's batching, its instances, and how its clients behave.
#ifndef HEADRACE_ENGINE_SIMULATOR_SCENARIO_H_
#define HEADRACE_ENGINE_SIMULATOR_SCENARIO_H_

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "engine/batch_policy.h"
#include "engine/queue_core.h"
#include "engine/queue_policy.h"
#include "engine/simulator/random.h"

namespace headrace::engine::simulator {

struct Scenario {
  BatchPolicyOptions policy;
  QueueLimits limits;
  QueuePolicies policies;
  bool preserve_ordering = false;
  int instances = 1;
  int clients = 1;
  int requests = 50;  // of all clients together
  int shapes = 1;
  std::int64_t batch_size_max = 1;  // of one request
  Nanos arrival_gap_max = 0;        // of one client
  int burst_percent = 0;            // arrivals that bring a whole burst
  int cancel_percent = 0;           // requests whose client goes away
  int deadline_percent = 0;         // requests with a deadline
  int own_timeout_percent = 0;      // requests that ask for a timeout of their own
  int late_answer_percent = 0;      // requests answered after the instance is free
  int lost_answer_percent = 0;      // requests that the backend drops without an answer
  Nanos execution_max = 0;
  Nanos wake_latency_max = 0;
  Nanos close_time = kNever;     // a drain begins; kNever: when all requests have come
  Nanos abandon_after = kNever;  // after the drain began

  static Scenario Draw(Random& random);
  std::string ToString() const;
};

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_SCENARIO_H_

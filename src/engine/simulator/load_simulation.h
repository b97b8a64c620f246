// How a model's requests fare under a load: latencies of the real queue, policy and dispatcher on a
// virtual clock, with service times that were measured or are given.
//
// What it leaves out: the front end (a constant is added), clients that give up, and that instances
// take cores from one another (the service times are to be those of so many busy instances).
#ifndef HEADRACE_ENGINE_SIMULATOR_LOAD_SIMULATION_H_
#define HEADRACE_ENGINE_SIMULATOR_LOAD_SIMULATION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "base/clock.h"
#include "engine/batch_policy.h"
#include "engine/queue_core.h"
#include "engine/queue_policy.h"
#include "engine/simulator/random.h"
#include "engine/statistics.h"

namespace headrace::engine::simulator {

// What may change while a load is on its way.
struct LoadSetting {
  Nanos queue_delay = 0;
  int instances = 1;
};

// What whoever changes it sees.
struct LoadLook {
  Nanos now = 0;  // since the start
  LoadSetting setting;
  std::size_t queue_depth = 0, executing = 0;  // requests
  const ModelStatistics& statistics;           // as a model keeps them
};

struct LoadScenario {
  BatchPolicyOptions policy;
  QueueLimits limits{};
  QueuePolicies policies{};
  int instances = 1;
  bool ahead = false;  // an instance may take a batch while it executes one (runner.h)
  // How long a batch of so many inferences executes; drawn for each batch.
  std::function<Nanos(std::int64_t, Random&)> service_time;
  // Offset from the start of the next arrival, ascending; kNever after the last.
  std::function<Nanos()> next_arrival;
  std::int64_t batch_size = 1;  // of one request
  Nanos wake_latency = 0;       // between the arrival and an idle instance's look at the queue
  Nanos added_latency = 0;      // of what is not simulated: sockets, codecs
  Nanos measure_from = 0;       // requests that arrive earlier are not counted
  // Ends here: the load is above the capacity, and what waits would only wait longer. What has not
  // been answered counts as late.
  std::size_t backlog_max = 20'000;
  std::uint64_t seed = 1;
  // Asked at such intervals until the last arrival; null: nothing changes. An instance that is
  // added is there at once; one that is taken executes its batch.
  std::function<LoadSetting(const LoadLook&)> control = nullptr;
  Nanos control_interval = 250 * kMillisecond;
  int instances_max = 0;  // that `control` may ask for, at least `instances`
};

struct LoadFigures {
  std::vector<Nanos> latencies;                   // ascending; of requests that ended well
  std::uint64_t arrived = 0;                      // counted ones
  std::uint64_t refused = 0;                      // by the queue's limits or policies
  bool overrun = false;                           // ended at backlog_max
  std::map<std::int64_t, std::uint64_t> batches;  // executions by size
  double busy_share = 0;                          // of the instances' time
  Nanos duration = 0;                             // until the last answer

  // Of all that arrived: what was refused or never answered is later than everything else.
  // kNever when the percentile falls among those; 0 when nothing arrived.
  Nanos Percentile(double percentile) const;
  double Mean() const;  // of what ended well; 0 = nothing did
  double batch_mean() const;
};

LoadFigures SimulateLoad(const LoadScenario& scenario);

// Exponential gaps at `rate` per second, until `end`.
std::function<Nanos()> PoissonArrivals(double rate, Nanos end, std::uint64_t seed);

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_LOAD_SIMULATION_H_

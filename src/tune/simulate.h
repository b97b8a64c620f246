// What the engine's simulator says of a configuration, from measured service times.
#ifndef HEADRACE_TUNE_SIMULATE_H_
#define HEADRACE_TUNE_SIMULATE_H_

#include <cstdint>
#include <vector>

#include "engine/simulator/load_simulation.h"
#include "tune/configuration.h"
#include "tune/prober.h"
#include "tune/service_times.h"

namespace headrace::tune {

struct SimulationPlan {
  Target target{};
  std::uint64_t requests = 3000;   // of each simulated load
  std::vector<Nanos> intervals{};  // gaps of real traffic, scaled to the rate; empty = Poisson
  bool ahead = false;              // instances of Python models take a batch ahead
  std::uint64_t seed = 1;
};

// Borrows the table. `factor`: executions take so many times what was measured (calibration.h).
class Simulator {
 public:
  Simulator(const ServiceTimes& times, SimulationPlan plan)
      : times_(times), plan_(std::move(plan)) {}

  // `requests` arrivals at `rate`; 0 = as the plan has it.
  engine::simulator::LoadFigures Load(const Configuration& configuration, double rate,
                                      double factor = 1, std::uint64_t requests = 0) const;
  // The highest rate whose percentile is within the SLA, so finely; 0 = none is.
  double Capacity(const Configuration& configuration, double factor = 1,
                  double precision = 1.02) const;
  // The same against another SLA: what binds?
  double CapacityWithin(const Configuration& configuration, Nanos sla, double factor = 1,
                        double precision = 1.02) const;

  const ServiceTimes& times() const { return times_; }
  const SimulationPlan& plan() const { return plan_; }

 private:
  const ServiceTimes& times_;
  const SimulationPlan plan_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SIMULATE_H_

// What one probe says of a configuration's capacity, read through the simulation.
#ifndef HEADRACE_TUNE_CALIBRATION_H_
#define HEADRACE_TUNE_CALIBRATION_H_

#include "tune/simulate.h"

namespace headrace::tune {

struct CapacityEstimate {
  double value = 0, low = 0, high = 0;  // requests per second, with a 95 % interval
  double factor = 1;                    // executions take so many times what was measured
};

// By which factor would the simulated executions have to be longer, so that the same load has the
// measured latency? The capacity with that factor is the estimate; the ends of the latency's
// interval give those of the estimate. A probe that was overrun says only that the capacity is
// below what was achieved.
CapacityEstimate Calibrate(const Simulator& simulator, const Configuration& configuration,
                           const LoadSample& sample);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_CALIBRATION_H_

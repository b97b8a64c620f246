// All that a search for several models knows of servers, clocks and models.
#ifndef HEADRACE_TUNE_MULTI_PROBER_H_
#define HEADRACE_TUNE_MULTI_PROBER_H_

#include <cstddef>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tune/prober.h"

namespace headrace::tune {

// What a model's own requests fared like in a mixed load; `rate` is its part of the whole.
using MixSample = std::vector<LoadSample>;  // by model

// One thread.
class MultiProber {
 public:
  virtual ~MultiProber() = default;
  virtual Nanos Now() = 0;
  virtual bool Stopped() = 0;
  virtual std::size_t size() const = 0;
  // Of one model, while the others are idle.
  virtual Prober& model(std::size_t index) = 0;
  // Requests of all models, mixed by their shares, `rate` of them per second. Changes what is
  // configured otherwise. The status names the model that does not load.
  virtual Result<MixSample> Mix(const std::vector<Configuration>& configurations, double rate,
                                Nanos duration) = 0;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_PROBER_H_

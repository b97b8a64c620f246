// s(b) = tau + alpha b.
#ifndef HEADRACE_TUNE_SERVICE_FIT_H_
#define HEADRACE_TUNE_SERVICE_FIT_H_

#include <cstdint>
#include <map>

namespace headrace::tune {

struct ServiceFit {
  double tau = 0;    // of each execution, nanoseconds; at least 0
  double alpha = 0;  // of each inference in it; at least 0
  // The largest distance of a point from the line, as a part of the point: a cliff of cache or
  // workspace shows here.
  double error_max = 0;

  double At(double batch) const { return tau + alpha * batch; }
};

// Least squares, each point weighted by its size: large batches are not to drown small ones. One
// point: all of it is alpha.
ServiceFit FitService(const std::map<std::int64_t, double>& times_by_batch);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SERVICE_FIT_H_

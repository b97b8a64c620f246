// Service times that there was no time to measure.
#ifndef HEADRACE_TUNE_ASSUME_H_
#define HEADRACE_TUNE_ASSUME_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tune/service_times.h"

namespace headrace::tune {

// Adds what is missing of a variant's shape, for `batches` beyond the largest that was measured,
// in the proportion that another shape of the variant has shown: executions of two instances grow
// with their batch as those of one do. A shape without any measurement begins with what one
// instance of as many threads takes, if all of its instances have cores of their own. Samples that
// are assumed have a count of 0. Returns whether anything was added.
bool AssumeMissing(ServiceTimes& times, const std::string& variant, const Shape& shape,
                   const std::vector<std::int64_t>& batches, int cores);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ASSUME_H_

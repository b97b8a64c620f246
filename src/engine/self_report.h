// What an instance's model says of itself.
#ifndef HEADRACE_ENGINE_SELF_REPORT_H_
#define HEADRACE_ENGINE_SELF_REPORT_H_

#include "base/status.h"

namespace headrace::engine {

// Implemented, beside Instance, by instances whose model may say that it is not ready (contracts,
// Triton 9.1, is_ready). It is only shown: requests are executed all the same.
class SelfReport {
 public:
  virtual ~SelfReport() = default;
  // OK, or why not. Any thread; does not block.
  virtual Status Readiness() const = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SELF_REPORT_H_

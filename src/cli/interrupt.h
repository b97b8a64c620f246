// Ctrl-C as a flag that a run looks at.
#ifndef HEADRACE_CLI_INTERRUPT_H_
#define HEADRACE_CLI_INTERRUPT_H_

#include <atomic>

namespace headrace::cli {

// Turns SIGINT and SIGTERM into a flag for as long as it lives; the second one ends the process as
// usual. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const std::atomic<bool>& flag() const;
};

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_INTERRUPT_H_

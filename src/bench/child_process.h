// A program that this one starts, listens to and ends.
#ifndef HEADRACE_BENCH_CHILD_PROCESS_H_
#define HEADRACE_BENCH_CHILD_PROCESS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace headrace::bench {

struct ChildProcessOptions {
  std::string program;                   // a path
  std::vector<std::string> arguments;    // its name is the first
  std::vector<std::string> environment;  // all of it, as NAME=VALUE
  std::string directory;                 // that it runs in; "" = this process's
  // Each line that it prints on its outputs (of a longer one the first 16 KiB), and the end of
  // them. Both are called on a thread of the child's own, and neither after Stop.
  std::function<void(const std::string&)> on_line;
  std::function<void()> on_end;
};

// It runs in a group of its own, so that Ctrl-C at the terminal reaches this process alone, which
// ends it: by the destructor, or by the kernel should this process die (PR_SET_PDEATHSIG means the
// thread that called Start, so that must live as long). Thread-safe but for Stop and destruction.
class ChildProcess {
 public:
  // UNAVAILABLE where the program cannot be started.
  static Result<std::unique_ptr<ChildProcess>> Start(ChildProcessOptions options);
  // Stop.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool Running() const;
  // SIGTERM, then SIGKILL when it has not ended after `grace`; what it has left behind is killed.
  // Blocks. Twice does no harm. Returns how it ended: 0, an exit status, or 128 + signal.
  int Stop(Nanos grace = 10 * kSecond);

 private:
  class Impl;
  explicit ChildProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_CHILD_PROCESS_H_

// Reads gauges of a server's metrics page while a level is measured.
#ifndef HEADRACE_BENCH_GAUGE_SAMPLER_H_
#define HEADRACE_BENCH_GAUGE_SAMPLER_H_

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "bench/level.h"
#include "load/server_control.h"

namespace headrace::bench {

using Gauges = std::map<std::string, GaugeFigures>;

// Adds one page: its families of GPUs, processors, memory, queues and instances (nv_* and ours)
// that are gauges. Pages that cannot be read are passed over.
void AddPage(std::string_view page, Gauges& gauges);

// Asks on a thread of its own, so that a server that stands still does not hold up the level.
class GaugeSampler {
 public:
  // Starts at once. `control` is borrowed until Stop.
  GaugeSampler(load::ServerControl& control, Nanos interval);
  ~GaugeSampler();

  // Ends the thread, which may wait for an answer that is under way; what was read.
  Gauges Stop();

 private:
  void Run(Nanos interval);

  load::ServerControl& control_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  Gauges gauges_;  // of the thread, until it has ended
  std::thread thread_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_GAUGE_SAMPLER_H_

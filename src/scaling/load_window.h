// What a model did in a stretch of time, from two readings of its statistics.
#ifndef HEADRACE_SCALING_LOAD_WINDOW_H_
#define HEADRACE_SCALING_LOAD_WINDOW_H_

#include <cstdint>
#include <map>
#include <vector>

#include "base/clock.h"
#include "engine/statistics.h"

namespace headrace::scaling {

struct BatchTime {
  std::uint64_t count = 0;  // executions
  Nanos total = 0;
};

struct LoadWindow {
  Nanos duration = 0;
  std::uint64_t received = 0;
  std::uint64_t requests = 0;  // that ended well, or were refused by the queue
  std::uint64_t late = 0;      // of them: above the SLA, or refused
  Nanos latency = 0;      // the percentile of them all; kNever where it falls among the refused
  Nanos queue_mean = 0;   // of executed requests
  double busy = 0;        // instances that executed, on average
  double batch_mean = 0;  // inferences in an execution; 0: there was none
  std::map<std::uint64_t, BatchTime> batches{};  // by size

  double arrival_rate() const;  // per second
};

// Not thread-safe; the statistics may be written meanwhile. Latencies are those of a histogram
// whose buckets are 1/16 wide: a request counts as late from the bucket on that the SLA falls into,
// so that an SLA is not said to hold that does not.
class LoadWindowReader {
 public:
  LoadWindowReader(Nanos sla, double percentile);

  void Begin(Nanos now, const engine::ModelStatistics& statistics);
  // Since the last Begin, which there must have been.
  LoadWindow Read(Nanos now, const engine::ModelStatistics& statistics) const;

 private:
  struct Reading {
    Nanos time = 0;
    engine::StatisticsSnapshot statistics;
    std::uint64_t executed_ns = 0;
    std::vector<std::uint64_t> at_most;  // requests, by bounds_
    std::uint64_t completed = 0;
  };
  Reading Take(Nanos now, const engine::ModelStatistics& statistics) const;

  const double share_;                 // 0.99 of p99
  std::vector<std::uint64_t> bounds_;  // ascending
  std::size_t sla_bound_ = 0;          // the last of them that is within the SLA
  Reading begin_;
};

}  // namespace headrace::scaling

#endif  // HEADRACE_SCALING_LOAD_WINDOW_H_

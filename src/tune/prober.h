// All that the search knows of servers, clocks and models.
#ifndef HEADRACE_TUNE_PROBER_H_
#define HEADRACE_TUNE_PROBER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tune/configuration.h"

namespace headrace::tune {

// Executions in a closed loop.
struct ServiceSample {
  std::vector<Nanos>
      quantiles;            // of one execution's time, ascending, evenly spaced from min to max
  std::uint64_t count = 0;  // requests that were measured; 0 = it is assumed (assume.h)
  double mean = 0;          // nanoseconds
  double rate = 0;          // inferences per second, of all instances together
  Nanos overhead = 0;       // what a client waits beyond the execution when nothing queues
  std::uint64_t memory_bytes = 0;  // that the server uses with it; 0 = not known

  Nanos min() const { return quantiles.empty() ? 0 : quantiles.front(); }
  Nanos Quantile(double part) const;  // 0..1
  Nanos median() const { return Quantile(0.5); }
  Nanos p99() const { return Quantile(0.99); }
  // What nearly all executions stay below, and one disturbance of a short measurement does not
  // move: a sample of few says nothing of a p99, and what is ruled out by it would be ruled out for
  // good.
  Nanos tail() const { return count >= 100 ? p99() : Quantile(0.75); }
};

// An open loop at one rate.
struct LoadSample {
  double rate = 0;      // intended, requests per second
  double achieved = 0;  // ended well
  double goodput = 0;   // of these, within the SLA
  Nanos duration = 0;
  std::uint64_t requests = 0, failures = 0;
  // The percentile of the SLA with its 95 % interval; kNever = it falls among the timeouts.
  Nanos latency = 0, latency_low = 0, latency_high = 0;
  bool backlog = false;       // answers fell behind arrivals
  bool client_bound = false;  // the sender was the limit
  Nanos send_lag = 0;         // p99 of the sender's own lateness
  double batch_mean = 0;      // 0 = not known
  double queue_share = 0;     // of the server's time for a request; 0 = not known
};

struct CapacitySample {
  double rate = 0;         // the highest that met the SLA; 0 = none did
  double rate_missed = 0;  // the lowest that missed it; 0 = none did
  bool client_bound = false;
  bool failures = false;  // requests failed above it (queue limits)
  int probes = 0;
  std::string reason{};
  LoadSample at_rate{};  // the last probe that met it
};

// What is the same in all probes of a run.
struct Target {
  Nanos sla = 100 * kMillisecond;
  double percentile = 99;
  double failure_share_max = 0.001;
};

// One thread. A status says why this configuration cannot be measured: it does not load, or every
// request fails. What was asked for may end earlier than asked once `Stopped`.
class Prober {
 public:
  virtual ~Prober() = default;
  virtual Nanos Now() = 0;
  // Ctrl-C, or the server is gone: nothing more will be measured.
  virtual bool Stopped() = 0;
  // `concurrent` requests of `batch` inferences at all times. The configuration's batch and delay
  // do not matter: each request is one execution.
  virtual Result<ServiceSample> Service(const Configuration& configuration, std::int64_t batch,
                                        int concurrent, Nanos duration) = 0;
  // At `rate` requests of one inference per second.
  virtual Result<LoadSample> Load(const Configuration& configuration, double rate,
                                  Nanos duration) = 0;
  // The highest rate within the SLA, to `precision`, beginning at `rate_start` (0 = not known).
  // Takes about `time` at most.
  virtual Result<CapacitySample> Capacity(const Configuration& configuration, double rate_start,
                                          double precision, Nanos time) = 0;
  // A fresh server, where that can be had; else nothing.
  virtual Status Restart() { return OkStatus(); }
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_PROBER_H_

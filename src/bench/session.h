// A target that load is put on, level by level. What `bench`, its suites and `tune` share.
#ifndef HEADRACE_BENCH_SESSION_H_
#define HEADRACE_BENCH_SESSION_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/level.h"
#include "load/server_control.h"
#include "load/target.h"
#include "load/transport.h"
#include "load/workload.h"

namespace headrace::bench {

// How far a level is; for the repainted line.
struct Progress {
  enum class Phase : std::uint8_t { kConnect, kWarmup, kMeasure, kDrain } phase;
  Nanos elapsed = 0, expected = 0;
  double rate = 0;
  Nanos p99 = 0;
  std::uint64_t failures = 0;
};

struct SessionOptions {
  int sender_count = 1;
  bool keep_records = false;
  int keep_records_max = 2'000'000;
  int outstanding_max = 100'000;            // of all senders together
  Nanos request_timeout = 60 * kSecond;     // Open takes the target's
  Nanos metrics_interval = kSecond;         // of the metrics page; 0 = it is not read
  std::vector<std::string> further_models;  // whose statistics are read beside the workload's
  // Set from a signal handler: the level ends now and what is known is returned (kStoppedEarly).
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const Progress&)> progress;  // on the caller's thread, a few times a second
};

// One thread.
class Session {
 public:
  // Encodes the workload. `control` may be null: then there are no server-side figures. Both
  // borrowed.
  static Result<std::unique_ptr<Session>> Open(const load::TargetSpec& target,
                                               const load::Workload& workload,
                                               load::ServerControl* control,
                                               SessionOptions options);
  // Over requests that are encoded already; also for tests. All borrowed but `options`.
  static std::unique_ptr<Session> Over(load::TransportFactory& transports,
                                       const load::Workload& workload, load::ServerControl* control,
                                       SessionOptions options);
  virtual ~Session() = default;

  // Runs one level: connect, warm-up, measure, drain. A status only when nothing could be measured
  // (no connection at all); everything else is in the result.
  virtual Result<LevelResult> Run(const LevelSpec& spec) = 0;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SESSION_H_

// Load that goes on while the caller does something else, such as a profile of the server.
#ifndef HEADRACE_BENCH_BACKGROUND_LOAD_H_
#define HEADRACE_BENCH_BACKGROUND_LOAD_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "bench/bench_options.h"
#include "bench/bench_run.h"
#include "bench/level.h"

namespace headrace::bench {

// One level of `headrace bench` on a thread of its own, from its warm-up until Stop. One thread.
class BackgroundLoad {
 public:
  // Blocks until the warm-up is over; from then on the load is at its level. `options` has one
  // level without an end (ParseBenchOptions with --duration unlimited). What RunBench says when
  // nothing could be sent passes through.
  static Result<std::unique_ptr<BackgroundLoad>> Start(BenchOptions options);
  ~BackgroundLoad();  // as Stop

  // Sends no more, waits half a second at most for what is out, and returns what was measured.
  // Once.
  Result<LevelResult> Stop();

 private:
  explicit BackgroundLoad(BenchOptions options);
  void Run();
  void Begun();

  const BenchOptions options_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;  // guards begun_
  std::condition_variable changed_;
  bool begun_ = false;
  std::optional<Result<BenchOutcome>> outcome_;  // of the thread; read when it has ended
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

// "closed, 4 at a time: 1,234 requests/s, p50 1.23 ms, p99 3.45 ms", with what failed, if any.
std::string LoadLine(const LevelResult& level);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BACKGROUND_LOAD_H_

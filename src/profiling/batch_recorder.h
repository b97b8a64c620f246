// Keeps what a profile sees of a model's batches.
#ifndef HEADRACE_PROFILING_BATCH_RECORDER_H_
#define HEADRACE_PROFILING_BATCH_RECORDER_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/batch_observer.h"

namespace headrace::profiling {

struct RecordedBatch {
  std::string instance{};
  std::int64_t thread_id = 0;
  Nanos formed = 0, started = 0, ended = 0;
  std::int64_t batch_size = 0;  // inferences
  std::vector<engine::ObservedBatch::Request> requests{};
};

// Thread-safe.
class BatchRecorder final : public engine::BatchObserver {
 public:
  static constexpr std::size_t kRequestCountMax = 200'000;

  void OnBatch(const engine::ObservedBatch& batch) override;

  // Waits until so many requests were executed (0: no number), until `until`, or until Stop. True
  // if the number was reached.
  bool WaitFor(std::uint64_t request_count, Nanos until);
  // Ends every WaitFor.
  void Stop();
  bool stopped();

  struct Taken {
    std::vector<RecordedBatch> batches;  // in the order of their ends
    std::uint64_t request_count = 0;     // of all batches, also of those left out
    bool truncated = false;
  };
  Taken Take();

 private:
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Taken taken_;
  bool stopped_ = false;
};

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_BATCH_RECORDER_H_

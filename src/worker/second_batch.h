// When a worker gets a second batch behind the one that it executes.
#ifndef HEADRACE_WORKER_SECOND_BATCH_H_
#define HEADRACE_WORKER_SECOND_BATCH_H_

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace headrace::worker {

enum class SecondBatch : std::uint8_t { kAuto, kOn, kOff };

// Of one instance; pure. What is handed over behind another batch cannot be called back, and waits
// until that one ends; what it saves is a wake-up of the worker, which nobody notices beside a long
// execution. So kAuto allows it while most executions of late have been short. Batches that take
// much of the data region go alone whatever is set, and so does the first after a worker's death:
// with one packet on its way the kernel knows whether it was read.
class SecondBatchRule {
 public:
  static constexpr Nanos kLong = kMillisecond;
  static constexpr int kScoreMin = 8, kScoreMax = 32, kLongCost = 4;

  explicit SecondBatchRule(SecondBatch mode) : mode_(mode) {}

  // An execution, and whether the batch took little room.
  void Record(Nanos execution, bool small) {
    // A few long ones may be the machine's fault: a process that lost its core for a while.
    const int score = score_ + (execution > kLong ? -kLongCost : 1);
    score_ = small ? std::clamp(score, 0, kScoreMax) : 0;
    alone_ = !small;
  }
  void WorkerDied() {
    score_ = 0;
    alone_ = true;
  }
  bool allows() const {
    return !alone_ &&
           (mode_ == SecondBatch::kOn || (mode_ == SecondBatch::kAuto && score_ >= kScoreMin));
  }

 private:
  const SecondBatch mode_;
  int score_ = 0;
  bool alone_ = false;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_SECOND_BATCH_H_

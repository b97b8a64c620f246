// Records on their way from the senders' threads to the thread that counts them.
#ifndef HEADRACE_BENCH_RECORD_QUEUE_H_
#define HEADRACE_BENCH_RECORD_QUEUE_H_

#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "load/record.h"
#include "load/sender.h"

namespace headrace::bench {

// Thread-safe. Grows with what a reader leaves in it for some tens of milliseconds.
class RecordQueue final : public load::RecordSink {
 public:
  void Take(std::span<const load::RequestRecord> records) override {
    const std::lock_guard lock(mutex_);
    records_.insert(records_.end(), records.begin(), records.end());
  }
  // What came since the last call. `emptied` is given back for its memory.
  std::vector<load::RequestRecord> Swap(std::vector<load::RequestRecord> emptied) {
    emptied.clear();
    const std::lock_guard lock(mutex_);
    return std::exchange(records_, std::move(emptied));
  }

 private:
  std::mutex mutex_;
  std::vector<load::RequestRecord> records_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_RECORD_QUEUE_H_

// Keeps the records of senders, for a test to wait for and to look at.
#ifndef HEADRACE_LOAD_TESTING_RECORD_LIST_H_
#define HEADRACE_LOAD_TESTING_RECORD_LIST_H_

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "load/record.h"
#include "load/sender.h"

namespace headrace::load {

// Thread-safe.
class RecordList final : public RecordSink {
 public:
  void Take(std::span<const RequestRecord> records) override {
    const std::lock_guard lock(mutex_);
    records_.insert(records_.end(), records.begin(), records.end());
    more_.notify_all();
  }
  void WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return records_.size() >= count; });
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return records_.size();
  }
  std::vector<RequestRecord> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(records_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<RequestRecord> records_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TESTING_RECORD_LIST_H_

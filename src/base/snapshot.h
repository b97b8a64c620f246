// Publishes an immutable value that readers look at without meeting the writer.
#ifndef HEADRACE_BASE_SNAPSHOT_H_
#define HEADRACE_BASE_SNAPSHOT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace headrace {

// One `Snapshot<T>` is written by any thread, rarely. Each reading thread keeps a `Reader` of its
// own: `Get()` costs one relaxed-ish atomic load while nothing was published, and takes a short
// lock after a publication.
template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> initial) : current_(std::move(initial)) {}

  void Publish(std::shared_ptr<const T> next) {
    std::lock_guard lock(mutex_);
    current_ = std::move(next);
    version_.fetch_add(1, std::memory_order_release);
  }

  std::shared_ptr<const T> Load() const {
    std::lock_guard lock(mutex_);
    return current_;
  }

  // Not thread-safe: one per thread. Borrows the snapshot.
  class Reader {
   public:
    explicit Reader(const Snapshot& source) : source_(source) {}
    const T& Get() {
      const std::uint64_t version = source_.version_.load(std::memory_order_acquire);
      if (version != seen_ || cached_ == nullptr) {
        cached_ = source_.Load();
        seen_ = version;
      }
      return *cached_;
    }

   private:
    const Snapshot& source_;
    std::shared_ptr<const T> cached_;
    std::uint64_t seen_ = 0;
  };

 private:
  mutable std::mutex mutex_;  // guards current_
  std::shared_ptr<const T> current_;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace headrace

#endif  // HEADRACE_BASE_SNAPSHOT_H_

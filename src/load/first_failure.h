// Keeps the words of the first failure, so that a report can say why and not only how many.
#ifndef HEADRACE_LOAD_FIRST_FAILURE_H_
#define HEADRACE_LOAD_FIRST_FAILURE_H_

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace headrace::load {

// Thread-safe; after the first failure a call costs one load.
class FirstFailure {
 public:
  static constexpr std::size_t kByteSizeMax = 512;

  bool noted() const { return noted_.load(std::memory_order_relaxed); }
  // Keeps `text` if it is the first: its start, with blanks for control bytes, which could
  // otherwise steer a terminal.
  void Note(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (noted()) {
      return;
    }
    text_ = text.substr(0, kByteSizeMax);
    for (char& c : text_) {
      c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    noted_.store(true, std::memory_order_relaxed);
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;  // guards text_
  std::string text_;
  std::atomic<bool> noted_{false};
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_FIRST_FAILURE_H_

// Owns one file descriptor and closes it.
#ifndef HEADRACE_BASE_UNIQUE_FD_H_
#define HEADRACE_BASE_UNIQUE_FD_H_

#include <utility>

namespace headrace {

// Move-only; any negative number means "none". Not thread-safe.
class UniqueFd {
 public:
  UniqueFd() = default;
  // Takes over `fd`.
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset(other.Release());
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }
  // Gives the descriptor away without closing it.
  int Release() { return std::exchange(fd_, -1); }
  // Closes what is owned and takes over `fd`. errno is kept, so that this may run on an error path.
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_UNIQUE_FD_H_

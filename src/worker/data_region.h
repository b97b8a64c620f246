// The memory that the server shares with one worker process: tensors cross in it.
//
// A memfd that neither side can shrink or grow, mapped whole by both ([docs/workers.md]):
// cancel bytes, then the server's half, then the worker's. The worker may write anywhere at any
// time, so nothing read from here is looked at twice, and nothing but the server's own record says
// what is in use.
#ifndef HEADRACE_WORKER_DATA_REGION_H_
#define HEADRACE_WORKER_DATA_REGION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "worker/arena.h"

namespace headrace::worker {

// Thread-safe. Bytes are charged to nobody: the size is the limit, and pages exist when they are
// touched. A large block's pages are given back to the system when it is freed.
class DataRegion {
 public:
  static constexpr std::uint64_t kCancelByteSize = 4096;
  static constexpr std::uint64_t kByteSizeMin = 1 << 20;
  static constexpr std::uint64_t kByteSizeMax = std::uint64_t{1} << 40;

  // `byte_size` is rounded up to pages. INVALID_ARGUMENT outside of the limits above.
  static Result<std::unique_ptr<DataRegion>> Create(std::uint64_t byte_size);
  ~DataRegion();
  DataRegion(const DataRegion&) = delete;
  DataRegion& operator=(const DataRegion&) = delete;

  int fd() const { return fd_.get(); }
  std::uint64_t byte_size() const { return byte_size_; }
  std::uint64_t middle() const { return middle_; }

  // A block of the server's half. RESOURCE_EXHAUSTED, naming the option, when none is free.
  Result<std::uint64_t> Allocate(std::uint64_t byte_size);
  // False if no block begins there.
  bool Free(std::uint64_t offset);
  std::uint64_t used_byte_size() const;

  // Requires a range inside the region.
  std::byte* At(std::uint64_t offset) const { return base_ + offset; }
  // Whether [offset, offset + byte_size) lies in the worker's half.
  bool InWorkerHalf(std::uint64_t offset, std::uint64_t byte_size) const;

  void SetCancelled(std::uint32_t slot, bool cancelled);
  // How many EXECUTEs the worker says that it has begun: the first word of its half.
  std::uint64_t BegunCount() const;

 private:
  DataRegion(UniqueFd fd, std::byte* base, std::uint64_t byte_size);

  const UniqueFd fd_;
  std::byte* const base_;
  const std::uint64_t byte_size_, middle_;
  mutable std::mutex mutex_;  // guards arena_
  Arena arena_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_DATA_REGION_H_

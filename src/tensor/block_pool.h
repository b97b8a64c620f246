// Where request bodies and response tensors get their memory: aligned blocks, charged to a budget
// before they exist.
#ifndef HEADRACE_TENSOR_BLOCK_POOL_H_
#define HEADRACE_TENSOR_BLOCK_POOL_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "base/result.h"
#include "device/device_memory.h"
#include "tensor/buffer.h"

namespace headrace {

// Counts bytes against a limit. Thread-safe, lock-free.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t byte_size_max) : byte_size_max_(byte_size_max) {}
  // False, and nothing charged, if that would exceed the limit.
  bool TryCharge(std::size_t byte_size);
  // Takes back what was charged. Returns what is left in use.
  std::size_t Release(std::size_t byte_size);
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  std::size_t byte_size_max() const { return byte_size_max_; }

 private:
  const std::size_t byte_size_max_;
  std::atomic<std::size_t> used_{0};
};

struct BlockPoolOptions {
  std::size_t in_use_byte_size_max = std::size_t{4}
                                     << 30;  // all blocks in use; beyond: RESOURCE_EXHAUSTED
  std::size_t idle_byte_size_max = std::size_t{256}
                                   << 20;  // kept for reuse; beyond: given back to the system
  // Where there are GPUs: large blocks are page-locked as they are made (Block::page_locked), so
  // that bodies and responses are copied to and from a GPU without staging. Null: no GPU.
  std::shared_ptr<device::DeviceMemory> device_memory = nullptr;
};

// Thread-safe. Blocks may outlive the pool object (they share its state). Small blocks come from
// the heap; large ones (where the heap would map and unmap pages for each) are kept in size classes
// and reused without being touched.
class BlockPool {
 public:
  static constexpr std::size_t kAlignment = 64;  // of every block's first byte
  // Readable bytes behind every allocation, so that a JSON parser may read a whole vector past the
  // end.
  static constexpr std::size_t kPadding = 64;

  explicit BlockPool(BlockPoolOptions options = {});
  ~BlockPool();

  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // `byte_size` writable bytes, 64-byte aligned, contents unspecified. RESOURCE_EXHAUSTED when the
  // budget is spent. What is charged is all that the block takes: its head, the padding, and the
  // rounding up to its size class (at most a quarter and a page).
  Result<MutableBuffer> Allocate(std::size_t byte_size);

  std::size_t in_use_byte_size() const;
  std::size_t idle_byte_size() const;
  // Gives idle blocks back to the system.
  void Trim();

 private:
  struct State;
  State* const state_;  // counted by its budget: see block_pool.cc
};

}  // namespace headrace

#endif  // HEADRACE_TENSOR_BLOCK_POOL_H_

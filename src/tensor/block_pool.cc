#include "tensor/block_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <new>

#include "base/check.h"
#include "base/small_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace headrace {
namespace {

constexpr std::size_t kSmallByteSizeEnd = 16 * 1024;  // from here on blocks have a size class
constexpr int kStepBits = 2;                          // four classes per doubling
constexpr int kFirstExponent = 14;                    // of kSmallByteSizeEnd
constexpr int kLastExponent = 34;  // 16 GiB; a larger block is mapped and unmapped each time
constexpr int kClassCount = ((kLastExponent - kFirstExponent) << kStepBits) + 1;
constexpr int kNoClass = -1;
constexpr std::size_t kPageByteSize = 4096;
// No machine has more, and sums of a size and what comes with it stay far from overflow.
constexpr std::size_t kBlockByteSizeMax = std::size_t{1} << 46;

// The smallest class whose blocks have room for `byte_size` bytes, or kNoClass.
int ClassOf(std::size_t byte_size) {
  if (byte_size <= kSmallByteSizeEnd) {
    return 0;
  }
  const std::size_t last = byte_size - 1;
  const int exponent = std::bit_width(last) - 1;
  const int step = static_cast<int>(last >> (exponent - kStepBits)) & ((1 << kStepBits) - 1);
  const int index = ((exponent - kFirstExponent) << kStepBits) + step + 1;
  return index < kClassCount ? index : kNoClass;
}

std::size_t ClassCapacity(int index) {
  const int exponent = kFirstExponent + (index >> kStepBits);
  const std::size_t quarters = (std::size_t{1} << kStepBits) + (index & ((1 << kStepBits) - 1));
  return quarters << (exponent - kStepBits);
}

}  // namespace

bool MemoryBudget::TryCharge(std::size_t byte_size) {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (byte_size > byte_size_max_ || used > byte_size_max_ - byte_size) {
      return false;
    }
  } while (!used_.compare_exchange_weak(used, used + byte_size, std::memory_order_relaxed));
  return true;
}

std::size_t MemoryBudget::Release(std::size_t byte_size) {
  const std::size_t before = used_.fetch_sub(byte_size, std::memory_order_acq_rel);
  HEADRACE_CHECK(before >= byte_size);
  return before - byte_size;
}

// Lives while the pool does or a block is in use. Both are charges on `budget`: the pool's own is
// kPoolCharge, and who releases the last charge deletes the state, so that a block costs no second
// count.
struct BlockPool::State {
  // The head of every allocation; the block's bytes follow.
  struct alignas(kAlignment) PooledBlock : Block {
    State* state = nullptr;
    PooledBlock* next_idle = nullptr;
    std::size_t footprint = 0;  // bytes of the whole allocation: what is charged
    int size_class = kNoClass;
  };
  static_assert(sizeof(PooledBlock) == kAlignment);
  static constexpr std::size_t kPoolCharge = 1;
  static constexpr std::size_t kOverhead = sizeof(PooledBlock) + kPadding;

  // Blocks of one class that wait for reuse; the one used last is taken first, while its bytes are
  // in cache.
  struct alignas(64) IdleList {
    std::mutex mutex;  // guards first
    PooledBlock* first = nullptr;
  };

  explicit State(const BlockPoolOptions& pool_options)
      : options(pool_options),
        budget(std::min(pool_options.in_use_byte_size_max, SIZE_MAX - kPoolCharge) + kPoolCharge) {
    HEADRACE_CHECK(budget.TryCharge(kPoolCharge));
  }
  ~State() { Trim(); }

  void Discharge(std::size_t byte_size) {
    if (budget.Release(byte_size) == 0) {
      delete this;
    }
  }

  PooledBlock* AllocateSmall(std::size_t byte_size);
  PooledBlock* AllocateLarge(std::size_t byte_size);
  // From the system, already charged; null when it has none.
  PooledBlock* Map(std::size_t capacity, std::size_t footprint, int size_class);
  void Unmap(PooledBlock* block) const;

  static void ReleaseSmall(Block* block);
  static void ReleaseLarge(Block* block);
  bool TryKeep(PooledBlock* block);
  PooledBlock* TakeIdle(int size_class);
  // Unmaps one idle block of another class than `size_class`, to make room for one of it. False if
  // there is none.
  bool EvictOther(int size_class);
  void Trim();

  const BlockPoolOptions options;
  MemoryBudget budget;
  std::atomic<std::size_t> idle_byte_size{0};
  std::atomic<bool> pool_is_gone{false};
  std::atomic<unsigned> eviction_cursor{0};
  std::array<IdleList, kClassCount> idle;
};

BlockPool::State::PooledBlock* BlockPool::State::AllocateSmall(std::size_t byte_size) {
  // malloc aligns to 16 only; the head moves up to the next 64 and the slack comes back with
  // `footprint`. (The heap's aligned functions cost several times as much.)
  constexpr std::size_t kSlack = kAlignment - alignof(std::max_align_t);
  const std::size_t footprint = kSlack + kOverhead + byte_size;
  if (!budget.TryCharge(footprint)) {
    return nullptr;
  }
  void* memory = headrace::AllocateSmall(footprint);
  if (memory == nullptr) {
    Discharge(footprint);
    return nullptr;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t shift = -address & (kAlignment - 1);
  auto* block = new (static_cast<std::byte*>(memory) + shift) PooledBlock;
  block->data = reinterpret_cast<std::byte*>(block + 1);
  block->capacity = byte_size;
  block->release = &ReleaseSmall;
  block->state = this;
  block->footprint = footprint;
  block->size_class =
      static_cast<int>(shift);  // a small block has no class; its shift finds the memory again
  return block;
}

BlockPool::State::PooledBlock* BlockPool::State::AllocateLarge(std::size_t byte_size) {
  const int size_class = ClassOf(byte_size);
  const std::size_t capacity = size_class == kNoClass ? byte_size : ClassCapacity(size_class);
  const std::size_t footprint = (kOverhead + capacity + kPageByteSize - 1) & ~(kPageByteSize - 1);
  if (!budget.TryCharge(footprint)) {
    return nullptr;
  }
  PooledBlock* block = size_class == kNoClass ? nullptr : TakeIdle(size_class);
  if (block == nullptr) {
    block = Map(capacity, footprint, size_class);
    if (block == nullptr) {
      Discharge(footprint);
    }
  }
  return block;
}

BlockPool::State::PooledBlock* BlockPool::State::Map(std::size_t capacity, std::size_t footprint,
                                                     int size_class) {
  void* memory =
      ::mmap(nullptr, footprint, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  auto* block = new (memory) PooledBlock;
  block->data = reinterpret_cast<std::byte*>(block + 1);
  block->capacity = capacity;
  block->release = &ReleaseLarge;
  block->state = this;
  block->footprint = footprint;
  block->size_class = size_class;
  block->page_locked =
      options.device_memory != nullptr && options.device_memory->Lock(memory, footprint);
  return block;
}

void BlockPool::State::Unmap(PooledBlock* block) const {
  const std::size_t footprint = block->footprint;
  ASAN_UNPOISON_MEMORY_REGION(block, footprint);
  if (block->page_locked) {
    options.device_memory->Unlock(block);
  }
  ::munmap(block, footprint);
}

void BlockPool::State::ReleaseSmall(Block* released) {
  auto* block = static_cast<PooledBlock*>(released);
  State* state = block->state;
  const std::size_t footprint = block->footprint;
  void* memory = reinterpret_cast<std::byte*>(block) - block->size_class;
  block->~PooledBlock();
  FreeSmall(memory, footprint);
  state->Discharge(footprint);
}

void BlockPool::State::ReleaseLarge(Block* released) {
  auto* block = static_cast<PooledBlock*>(released);
  State* state = block->state;
  const std::size_t footprint = block->footprint;
  if (!state->TryKeep(block)) {
    state->Unmap(block);
  }
  state->Discharge(footprint);
}

bool BlockPool::State::TryKeep(PooledBlock* block) {
  const std::size_t footprint = block->footprint;
  if (block->size_class == kNoClass || footprint > options.idle_byte_size_max ||
      pool_is_gone.load(std::memory_order_relaxed)) {
    return false;
  }
  // Count first, so that the limit holds at every moment.
  while (idle_byte_size.fetch_add(footprint, std::memory_order_relaxed) + footprint >
         options.idle_byte_size_max) {
    idle_byte_size.fetch_sub(footprint, std::memory_order_relaxed);
    if (!EvictOther(block->size_class)) {
      return false;
    }
  }
  ASAN_POISON_MEMORY_REGION(block->data, footprint - sizeof(PooledBlock));
  IdleList& list = idle[block->size_class];
  std::lock_guard lock(list.mutex);
  block->next_idle = list.first;
  list.first = block;
  return true;
}

BlockPool::State::PooledBlock* BlockPool::State::TakeIdle(int size_class) {
  IdleList& list = idle[size_class];
  PooledBlock* block;
  {
    std::lock_guard lock(list.mutex);
    block = list.first;
    if (block == nullptr) {
      return nullptr;
    }
    list.first = block->next_idle;
  }
  idle_byte_size.fetch_sub(block->footprint, std::memory_order_relaxed);
  block->references.store(1, std::memory_order_relaxed);
  return block;
}

bool BlockPool::State::EvictOther(int size_class) {
  // Start where the last search ended, so that no class is bled alone.
  const unsigned start = eviction_cursor.load(std::memory_order_relaxed);
  for (unsigned i = 0; i < kClassCount; ++i) {
    const unsigned candidate = (start + i) % kClassCount;
    if (static_cast<int>(candidate) == size_class) {
      continue;
    }
    if (PooledBlock* block = TakeIdle(static_cast<int>(candidate)); block != nullptr) {
      eviction_cursor.store(candidate + 1, std::memory_order_relaxed);
      Unmap(block);
      return true;
    }
  }
  return false;
}

void BlockPool::State::Trim() {
  for (int i = 0; i < kClassCount; ++i) {
    while (PooledBlock* block = TakeIdle(i)) {
      Unmap(block);
    }
  }
}

BlockPool::BlockPool(BlockPoolOptions options) : state_(new State(options)) {}

BlockPool::~BlockPool() {
  state_->pool_is_gone.store(true, std::memory_order_relaxed);
  state_->Trim();
  state_->Discharge(State::kPoolCharge);
}

Result<MutableBuffer> BlockPool::Allocate(std::size_t byte_size) {
  State::PooledBlock* block = nullptr;
  if (byte_size < kSmallByteSizeEnd) {
    block = state_->AllocateSmall(byte_size);
  } else if (byte_size <= kBlockByteSizeMax) {
    block = state_->AllocateLarge(byte_size);
  }
  if (block == nullptr) {
    return ResourceExhausted(
        "no memory for {} bytes: {} of the {} bytes for requests and responses are in use",
        byte_size, in_use_byte_size(), state_->options.in_use_byte_size_max);
  }
  if (byte_size >= kSmallByteSizeEnd) {
    const std::size_t readable = byte_size + kPadding;
    const std::size_t behind_head = block->footprint - sizeof(State::PooledBlock);
    ASAN_UNPOISON_MEMORY_REGION(block->data, readable);
    ASAN_POISON_MEMORY_REGION(block->data + readable, behind_head - readable);
  }
  return MutableBuffer(BlockRef(block), block->data, byte_size);
}

std::size_t BlockPool::in_use_byte_size() const {
  return state_->budget.used() - State::kPoolCharge;
}

std::size_t BlockPool::idle_byte_size() const {
  return state_->idle_byte_size.load(std::memory_order_relaxed);
}

void BlockPool::Trim() { state_->Trim(); }

}  // namespace headrace

#include "base/small_memory.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace headrace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void* AllocateSmall(std::size_t byte_size) noexcept { return std::malloc(byte_size); }
void FreeSmall(void* memory, std::size_t) noexcept { std::free(memory); }

#else

namespace {

constexpr std::size_t kStep = 64;
constexpr std::size_t kClassCount = kSmallMemoryByteSizeMax / kStep;
// Pieces that go from a thread to others together.
constexpr std::uint32_t kChainLength = 32;
// Chains of one class that wait for a thread: at most 16 x 32 pieces.
constexpr std::size_t kChainsMax = 16;

struct Piece {
  Piece* next;
};

// A thread's free pieces of one class, the one used last in front.
struct Pieces {
  Piece* first = nullptr;
  std::uint32_t count = 0;
};

void FreeAll(Piece* piece) {
  while (piece != nullptr) {
    std::free(std::exchange(piece, piece->next));
  }
}

// What threads have too much of. It belongs to the process, as the heap does.
struct Depot {
  std::mutex mutex;  // guards the rest
  std::array<Piece*, kChainsMax> chains{};
  std::size_t count = 0;

  // Takes a whole chain, or gives it back to the heap.
  void Put(Piece* chain) {
    {
      std::lock_guard lock(mutex);
      if (count < kChainsMax) {
        chains[count++] = chain;
        return;
      }
    }
    FreeAll(chain);
  }
  Piece* Take() {
    std::lock_guard lock(mutex);
    return count == 0 ? nullptr : chains[--count];
  }
};
constinit std::array<Depot, kClassCount> depots;

enum class Stage : std::uint8_t { kNew, kOpen, kEnded };

struct ThreadPieces {
  std::array<Pieces, kClassCount> classes;
  Stage stage;
};
// Without a constructor or destructor, so that reaching it costs nothing.
constinit thread_local ThreadPieces thread_pieces{{}, Stage::kNew};

// Ends with its thread, and the thread's pieces with it.
struct Closer {
  Closer() { thread_pieces.stage = Stage::kOpen; }
  ~Closer() {
    thread_pieces.stage = Stage::kEnded;
    for (Pieces& pieces : thread_pieces.classes) {
      FreeAll(std::exchange(pieces.first, nullptr));
      pieces.count = 0;
    }
  }
};

// Whether this thread may keep pieces: not once it is ending.
bool Open() {
  if (thread_pieces.stage == Stage::kNew) {
    thread_local Closer closer;
    [[maybe_unused]] const Closer& made = closer;
  }
  return thread_pieces.stage == Stage::kOpen;
}

std::size_t ClassOf(std::size_t byte_size) { return (byte_size - 1) / kStep; }

[[gnu::noinline]] void* AllocateSlowly(std::size_t index) {
  if (thread_pieces.stage == Stage::kOpen || Open()) {
    if (Piece* chain = depots[index].Take(); chain != nullptr) {
      thread_pieces.classes[index] = {chain->next, kChainLength - 1};
      return chain;
    }
  }
  return std::malloc((index + 1) * kStep);
}

// Half of what is there goes to the depot: the pieces that lay there longest.
[[gnu::noinline]] void Overflow(std::size_t index) {
  Pieces& pieces = thread_pieces.classes[index];
  Piece* last = pieces.first;
  for (std::uint32_t i = 1; i < kChainLength; ++i) {
    last = last->next;
  }
  pieces.count -= kChainLength;
  depots[index].Put(std::exchange(last->next, nullptr));
}

}  // namespace

void* AllocateSmall(std::size_t byte_size) noexcept {
  if (byte_size - 1 >= kSmallMemoryByteSizeMax) {  // 0 is too large as well
    return std::malloc(byte_size);
  }
  const std::size_t index = ClassOf(byte_size);
  Pieces& pieces = thread_pieces.classes[index];
  Piece* piece = pieces.first;
  if (piece == nullptr) [[unlikely]] {
    return AllocateSlowly(index);
  }
  pieces.first = piece->next;
  --pieces.count;
  return piece;
}

void FreeSmall(void* memory, std::size_t byte_size) noexcept {
  if (byte_size - 1 >= kSmallMemoryByteSizeMax || memory == nullptr ||
      (thread_pieces.stage != Stage::kOpen && !Open())) {
    std::free(memory);
    return;
  }
  const std::size_t index = ClassOf(byte_size);
  Pieces& pieces = thread_pieces.classes[index];
  pieces.first = new (memory) Piece{pieces.first};
  if (++pieces.count == 2 * kChainLength) [[unlikely]] {
    Overflow(index);
  }
}

#endif

}  // namespace headrace

// What a small piece of memory costs: nanoseconds per piece and its return, of AllocateSmall and of
// the heap. A batch of pieces is made, then dropped, by the same thread or by another one while the
// first makes the next. Usage: bench_small_memory [rounds]
#include "base/small_memory.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace headrace {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kByteSize = 500;
using Batch = std::array<void*, kBatch>;

struct Small {
  static constexpr const char* kName = "AllocateSmall";
  static void* Make() { return AllocateSmall(kByteSize); }
  static void Drop(void* memory) { FreeSmall(memory, kByteSize); }
};
struct Heap {
  static constexpr const char* kName = "malloc";
  static void* Make() { return std::malloc(kByteSize); }
  static void Drop(void* memory) { std::free(memory); }
};

template <typename Memory>
void Fill(Batch& batch) {
  for (void*& memory : batch) {
    memory = Memory::Make();
    *static_cast<volatile char*>(memory) = 1;
  }
}

template <typename Memory>
void Drop(const Batch& batch) {
  for (void* memory : batch) {
    Memory::Drop(memory);
  }
}

template <typename Memory>
void InOneThread(long rounds) {
  Batch batch;
  for (long i = 0; i < rounds; ++i) {
    Fill<Memory>(batch);
    Drop<Memory>(batch);
  }
}

// Two batches go round: one is filled while the other is dropped.
template <typename Memory>
void BetweenThreads(long rounds) {
  std::array<Batch, 2> batches;
  std::atomic<long> filled{0};
  std::atomic<long> dropped{0};
  std::thread other([&] {
    for (long i = 0; i < rounds; ++i) {
      while (filled.load(std::memory_order_acquire) <= i) {
      }
      Drop<Memory>(batches[i % 2]);
      dropped.store(i + 1, std::memory_order_release);
    }
  });
  for (long i = 0; i < rounds; ++i) {
    while (dropped.load(std::memory_order_acquire) < i - 1) {
    }
    Fill<Memory>(batches[i % 2]);
    filled.store(i + 1, std::memory_order_release);
  }
  other.join();
}

template <typename Work>
double NanosPerPiece(long rounds, Work work) {
  work(rounds / 10);
  const auto begin = std::chrono::steady_clock::now();
  work(rounds);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  return took.count() / static_cast<double>(rounds * static_cast<long>(kBatch));
}

template <typename Memory>
void Measure(long rounds) {
  std::printf("%-14s %6.1f ns in one thread, %6.1f ns between two\n", Memory::kName,
              NanosPerPiece(rounds, InOneThread<Memory>),
              NanosPerPiece(rounds, BetweenThreads<Memory>));
}

}  // namespace
}  // namespace headrace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::atol(argv[1]) : 100'000;
  for (int i = 0; i < 3; ++i) {
    headrace::Measure<headrace::Small>(rounds);
    headrace::Measure<headrace::Heap>(rounds);
  }
}

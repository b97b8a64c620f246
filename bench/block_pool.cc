// What a block costs: nanoseconds per Allocate + release, and page faults per block, for small and
// large blocks, alone and with all threads on one pool. Usage: bench_block_pool [rounds]
#include "tensor/block_pool.h"

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "base/checked_math.h"

namespace headrace {
namespace {

long PageFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

struct Case {
  const char* name;
  std::size_t byte_size;
  bool fill;  // write all bytes of each block, as a socket read does
  int thread_count;
  long round_share;  // rounds = all rounds / this
};

void Allocate(BlockPool& pool, std::size_t byte_size, bool fill, long rounds) {
  for (long i = 0; i < rounds; ++i) {
    auto block = pool.Allocate(byte_size);
    if (!block.ok()) {
      std::fprintf(stderr, "%s\n", block.status().ToString().c_str());
      std::abort();
    }
    if (fill) {
      std::memset(block->data(), static_cast<int>(i), byte_size);
    }
    asm volatile("" : : "r"(block->data()) : "memory");
  }
}

void Run(const Case& what, long all_rounds) {
  BlockPool pool;
  const long rounds = all_rounds / what.round_share;
  Allocate(pool, what.byte_size, what.fill, rounds / 10 + 1);
  const long faults = PageFaults();
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 1; i < what.thread_count; ++i) {
    threads.emplace_back([&] { Allocate(pool, what.byte_size, what.fill, rounds); });
  }
  Allocate(pool, what.byte_size, what.fill, rounds);
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  std::printf(
      "%-34s %9zu B  %d thread(s) %9.1f ns/block %9.4f faults/block\n", what.name, what.byte_size,
      what.thread_count, elapsed.count() / static_cast<double>(rounds),
      static_cast<double>(PageFaults() - faults) / static_cast<double>(rounds * what.thread_count));
}

}  // namespace
}  // namespace headrace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? headrace::ParseDecimal<long>(argv[1]).value_or(0) : 2'000'000;
  if (rounds < 1000) {
    std::fprintf(stderr, "usage: %s [rounds, at least 1000]\n", argv[0]);
    return 2;
  }
  const headrace::Case cases[] = {
      {"small", 64, false, 1, 1},
      {"small", 1000, false, 1, 1},
      {"small, beyond the heap's cache", 4096, false, 1, 1},
      {"small, the largest", 16383, false, 1, 1},
      {"large, reused", 16384, false, 1, 1},
      {"large, reused", 602112, false, 1, 1},
      {"large, reused and filled", 602112, true, 1, 100},
      {"large, reused", std::size_t{64} << 20, false, 1, 1},
      {"too large to keep", std::size_t{300} << 20, false, 1, 100},
      {"small", 1000, false, 2, 1},
      {"small, beyond the heap's cache", 4096, false, 2, 1},
      {"large, reused", 602112, false, 2, 1},
  };
  for (const headrace::Case& what : cases) {
    headrace::Run(what, rounds);
  }
}

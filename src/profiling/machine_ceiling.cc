#include "profiling/machine_ceiling.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace headrace::profiling {
namespace {

constexpr int kComputeRounds = 120;
constexpr int kMemoryRounds = 24;
constexpr std::int64_t kRepeats = 20'000;
// As many chains as hide the latency of a multiply-add on two units; with 16 registers there is
// room for no more.
constexpr int kChains = 12;
constexpr float kFactor = 0.999'99F;
constexpr float kTerm = 1e-5F;
constexpr std::size_t kArrayByteSizeMin = std::size_t{2} << 20;
constexpr std::size_t kArrayByteSizeMax = std::size_t{8} << 20;
constexpr double kOfAMultiplyAdd = 2;

// kRepeats * kChains multiply-adds of whole vectors; something that depends on all of them.
using MultiplyAdd = float (*)();

struct VectorUnit {
  const char* name;
  int lanes;
  MultiplyAdd run;
};

template <int lanes>
using Vector __attribute__((vector_size(lanes * sizeof(float)))) = float;

// Inlined into functions that are compiled for one unit, whose compiler makes one instruction of
// each multiplication and addition.
template <int lanes>
[[gnu::always_inline]] inline float MultiplyAddVectors() {
  Vector<lanes> sums[kChains];
  for (int i = 0; i < kChains; ++i) {
    sums[i] = Vector<lanes>{} + static_cast<float>(i);
  }
  for (std::int64_t repeat = 0; repeat < kRepeats; ++repeat) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      sums[i] = sums[i] * kFactor + kTerm;
    }
  }
  Vector<lanes> all = sums[0];
  for (int i = 1; i < kChains; ++i) {
    all += sums[i];
  }
  return all[0];
}

#ifdef __x86_64__
__attribute__((target("avx512f"))) float MultiplyAdd512() { return MultiplyAddVectors<16>(); }
__attribute__((target("avx2,fma"))) float MultiplyAdd256() { return MultiplyAddVectors<8>(); }
#endif

// Vectors of 128 bits, which every 64-bit processor has, multiplied and added in two steps where it
// cannot do both in one.
float MultiplyAdd128() { return MultiplyAddVectors<4>(); }

VectorUnit WidestUnit() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) {
    return {"AVX-512", 16, MultiplyAdd512};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {"AVX2", 8, MultiplyAdd256};
  }
#endif
  return {"128-bit vectors", 4, MultiplyAdd128};
}

// The compiler has to take it for used.
void Keep(float value) { asm volatile("" : : "g"(value) : "memory"); }

class TriadArrays {
 public:
  explicit TriadArrays(std::size_t byte_size)
      : a_(byte_size / sizeof(float)), b_(a_.size(), 1.0F), c_(a_.size(), 2.0F) {}

  void Run() {
    float* const a = a_.data();
    const float* const b = b_.data();
    const float* const c = c_.data();
    const std::size_t count = a_.size();
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i) {
      a[i] = b[i] + kFactor * c[i];
    }
    Keep(a[count / 2]);
  }

 private:
  std::vector<float> a_, b_, c_;
};

std::size_t L2ByteSize() {
  const long size = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

// The shortest of so many rounds in which all threads do their work, from the first one's start to
// the last one's end. `make`: on each thread, what it does in a round.
Nanos ShortestRound(int thread_count, int rounds,
                    const std::function<std::function<void()>()>& make) {
  struct Span {
    Nanos start = 0, end = 0;
  };
  std::vector<Span> spans(static_cast<std::size_t>(thread_count));
  Nanos shortest = kNever;
  // Run by the last thread of each round, while the others wait.
  const auto close_round = [&]() noexcept {
    Nanos start = kNever;
    Nanos end = 0;
    for (const Span& span : spans) {
      start = std::min(start, span.start);
      end = std::max(end, span.end);
    }
    if (end > start) {
      shortest = std::min(shortest, end - start);
    }
  };
  std::barrier closed(thread_count, close_round);
  std::vector<std::thread> threads;
  for (Span& span : spans) {
    threads.emplace_back([&] {
      const std::function<void()> work = make();
      work();  // memory is there, and the processor at its clock
      for (int round = 0; round < rounds; ++round) {
        span.start = Clock::Real().Now();
        work();
        span.end = Clock::Real().Now();
        closed.arrive_and_wait();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return shortest;
}

double PerSecond(double amount, Nanos time) {
  return time <= 0 || time == kNever
             ? 0
             : amount * static_cast<double>(kSecond) / static_cast<double>(time);
}

}  // namespace

RooflineTime RooflineTimeOf(std::uint64_t flops, std::uint64_t byte_size,
                            const MachineCeiling& ceiling) {
  const auto time = [](std::uint64_t amount, double per_second) {
    return per_second <= 0
               ? 0
               : static_cast<double>(amount) / per_second * static_cast<double>(kSecond);
  };
  return {.compute = time(flops, ceiling.flops_per_s),
          .memory = time(byte_size, ceiling.bytes_per_s)};
}

MachineCeiling CeilingMeter::Measure(int thread_count) {
  const int threads = std::clamp(thread_count, 1, kThreadCountMax);
  const VectorUnit unit = WidestUnit();
  const Nanos compute =
      ShortestRound(threads, kComputeRounds, [&unit] { return [run = unit.run] { Keep(run()); }; });
  const std::size_t l2 = L2ByteSize();
  const std::size_t array = std::clamp(l2, kArrayByteSizeMin, kArrayByteSizeMax);
  const Nanos memory = ShortestRound(threads, kMemoryRounds, [array] {
    return [arrays = std::make_shared<TriadArrays>(array)] { arrays->Run(); };
  });
  constexpr double kArrays = 3;
  MachineCeiling& highest = highest_[threads];
  highest.threads = threads;
  highest.flops_per_s =
      std::max(highest.flops_per_s,
               PerSecond(kOfAMultiplyAdd * kRepeats * kChains * unit.lanes * threads, compute));
  highest.bytes_per_s = std::max(highest.bytes_per_s,
                                 PerSecond(kArrays * static_cast<double>(array) * threads, memory));
  highest.how = fmt::format(
      "measured in the server: fp32 multiply-adds in registers ({}), and a triad over 3 x {:.0f} "
      "MiB a thread (L2 has {:.1f} MiB); {} thread(s) at once, best of {} and {} rounds, the "
      "highest since the server's start",
      unit.name, static_cast<double>(array) / (1 << 20), static_cast<double>(l2) / (1 << 20),
      threads, kComputeRounds, kMemoryRounds);
  return highest;
}

}  // namespace headrace::profiling

// Random numbers that are the same on every machine for a seed.
#ifndef HEADRACE_ENGINE_SIMULATOR_RANDOM_H_
#define HEADRACE_ENGINE_SIMULATOR_RANDOM_H_

#include <cmath>
#include <cstdint>

namespace headrace::engine::simulator {

// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In first..last, both included.
  std::int64_t Between(std::int64_t first, std::int64_t last) {
    return first + static_cast<std::int64_t>(Next() % static_cast<std::uint64_t>(last - first + 1));
  }
  bool Chance(int percent) { return Between(0, 99) < percent; }
  // In [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // With the mean 1.
  double Exponential() { return -std::log1p(-Unit()); }

 private:
  std::uint64_t state_;
};

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_RANDOM_H_

// Random numbers that are the same on every machine: for schedules, draws and contents.
#ifndef HEADRACE_LOAD_RANDOM_H_
#define HEADRACE_LOAD_RANDOM_H_

#include <array>
#include <cstdint>

namespace headrace::load {

// One step of SplitMix64: a hash of `value`. Draws that must not depend on who makes them hash the
// seed and their number.
std::uint64_t HashOf(std::uint64_t value);
// 53 bits of `bits` as a number of [0, 1).
double UniformOf(std::uint64_t bits);

// xoshiro256++ from a seed. The distributions use no operations but those that IEEE 754 defines to
// the last bit (the standard library's, and its logarithm, differ between systems). A value type.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  std::uint64_t Bits();
  double Uniform();                          // [0, 1)
  std::uint64_t Below(std::uint64_t bound);  // [0, bound); 0 for 0
  double Exponential();                      // of mean 1
  double Normal();                           // of mean 0 and deviation 1
  double Gamma(double shape);                // of mean `shape` (> 0) and scale 1

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_RANDOM_H_

#include "load/random.h"

#include <bit>
#include <cmath>

namespace headrace::load {
namespace {

constexpr double kLn2 = 0.69314718055994530942;
constexpr double kSqrt2 = 1.41421356237309504880;

// The natural logarithm of a positive normal number, from additions, products and one division
// only. Error below 1e-15.
double PortableLog(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // [0.5, 1), exact
  if (mantissa < kSqrt2 / 2) {
    mantissa *= 2;
    --exponent;
  }
  // log m = 2 atanh(s), |s| < 0.172: the 12th term is below 1e-19.
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double sum = 0;
  for (int power = 23; power >= 1; power -= 2) {
    sum = sum * square + 1.0 / power;
  }
  return 2 * s * sum + exponent * kLn2;
}

// e^x for x <= 0, in the same way.
double PortableExp(double x) {
  if (x < -700) {
    return 0;
  }
  const double exponent = std::floor(x / kLn2 + 0.5);
  const double rest = x - exponent * kLn2;  // |rest| < 0.347
  double sum = 1;
  for (int n = 18; n >= 1; --n) {
    sum = 1 + sum * rest / n;
  }
  return std::ldexp(sum, static_cast<int>(exponent));
}

}  // namespace

std::uint64_t HashOf(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

double UniformOf(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    word = HashOf(seed);
    seed += 0x9e3779b97f4a7c15;
  }
}

std::uint64_t Random::Bits() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::Uniform() { return UniformOf(Bits()); }

std::uint64_t Random::Below(std::uint64_t bound) {
  // The high half of the product; its bias is bound / 2^64.
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(Bits()) * bound) >> 64);
}

double Random::Exponential() { return -PortableLog(1 - Uniform()); }

double Random::Normal() {
  // Marsaglia's polar method; the second number is not kept.
  while (true) {
    const double u = 2 * Uniform() - 1;
    const double v = 2 * Uniform() - 1;
    const double square = u * u + v * v;
    if (square > 0 && square < 1) {
      return u * std::sqrt(-2 * PortableLog(square) / square);
    }
  }
}

double Random::Gamma(double shape) {
  if (shape < 1) {
    // Gamma(k) = Gamma(k + 1) * U^(1/k).
    const double factor = PortableExp(PortableLog(1 - Uniform()) / shape);
    return Gamma(shape + 1) * factor;
  }
  // Marsaglia and Tsang (2000).
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = Normal();
    const double root = 1 + c * x;
    if (root <= 0) {
      continue;
    }
    const double v = root * root * root;
    if (PortableLog(1 - Uniform()) < x * x / 2 + d - d * v + d * PortableLog(v)) {
      return d * v;
    }
  }
}

}  // namespace headrace::load

// The two 16-bit floating-point forms as numbers.
#ifndef HEADRACE_LOAD_HALF_H_
#define HEADRACE_LOAD_HALF_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace headrace::load {

// IEEE binary16, rounded to nearest, ties to even; what is too large becomes infinite.
inline std::uint16_t ToFp16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    return sign | 0x7e00;  // NaN
  }
  if (magnitude >= 0x477ff000) {
    return sign | 0x7c00;  // rounds beyond the largest
  }
  if (magnitude < 0x38800000) {  // subnormal: the sum rounds it to a multiple of 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000));
  }
  const std::uint32_t odd = magnitude >> 13 & 1;
  return static_cast<std::uint16_t>(sign | (magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

inline float FromFp16(std::uint16_t half) {
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  const int exponent = half >> 10 & 31;
  const auto fraction = static_cast<float>(half & 1023);
  if (exponent == 31) {
    return fraction == 0 ? sign * INFINITY : NAN;
  }
  return sign *
         (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

// The upper half of a binary32, rounded likewise.
inline std::uint16_t ToBf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) {
    return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  }
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float FromBf16(std::uint16_t half) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HALF_H_

#include "protocol/json_number.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <system_error>

namespace headrace::protocol {
namespace {

constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int kExactPowerMax = 22;  // the largest power of ten that a double holds exactly
constexpr int kMantissaDigitsMax = 19;

// A decimal number as mantissa * 10^exponent.
struct Decimal {
  const char* end = nullptr;  // null: not a number
  std::uint64_t mantissa = 0;
  std::int64_t exponent = 0;
  std::int64_t point =
      0;  // the number's magnitude lies below 10^point, unless its digits are all zero
  bool negative = false;
  bool exact = false;  // mantissa holds all digits
};

const char* SkipDigits(const char* p) {
  while (IsDigit(*p)) {
    ++p;
  }
  return p;
}

const char* ReadExponent(const char* p, std::int64_t* exponent) {
  constexpr std::int64_t kFar =
      1'000'000'000;  // beyond any double, and safe to add digits' counts to
  const bool negative = *p == '-';
  p += *p == '-' || *p == '+' ? 1 : 0;
  if (!IsDigit(*p)) {
    return nullptr;
  }
  std::int64_t value = 0;
  for (; IsDigit(*p); ++p) {
    value = value < kFar ? value * 10 + (*p - '0') : value;
  }
  *exponent = negative ? -value : value;
  return p;
}

inline Decimal ReadDecimal(const char* p) {
  Decimal decimal;
  decimal.negative = *p == '-';
  p += decimal.negative ? 1 : 0;
  const char* first = p;
  std::uint64_t mantissa = 0;
  while (IsDigit(*p)) {
    mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p++ - '0');
  }
  std::int64_t digits = p - first;
  const std::int64_t integer_digits = digits;
  if (digits == 0 || (*first == '0' && digits > 1)) {
    return decimal;
  }
  if (*p == '.') {
    const char* fraction = ++p;
    while (IsDigit(*p)) {
      mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p++ - '0');
    }
    const std::int64_t fraction_digits = p - fraction;
    if (fraction_digits == 0) {
      return decimal;
    }
    digits += fraction_digits;
    decimal.exponent = -fraction_digits;
  }
  std::int64_t exponent = 0;
  if (*p == 'e' || *p == 'E') {
    p = ReadExponent(p + 1, &exponent);
    if (p == nullptr) {
      return decimal;
    }
  }
  // Zeros in front ("0.000123") are no digits of the mantissa, but counting them only sends a
  // number the slower way.
  decimal.exact = digits <= kMantissaDigitsMax;
  decimal.mantissa = mantissa;
  decimal.exponent += exponent;
  decimal.point = integer_digits + exponent;
  decimal.end = p;
  return decimal;
}

template <typename T>
const char* ParseSlowly(const char* begin, const Decimal& decimal, T* out) {
  T value{};
  const auto [end, error] = std::from_chars(begin, decimal.end, value);
  if (error == std::errc::result_out_of_range) {
    // Reported for both ends of the range; a number below 1 cannot be too large. "0.000...1e400"
    // style numbers are told apart by their first digit that is not zero.
    std::int64_t point = decimal.point;
    for (const char* p = begin + (decimal.negative ? 1 : 0); *p == '0' || *p == '.'; ++p) {
      point -= *p == '0' ? 1 : 0;
    }
    if (point > 0) {
      return nullptr;
    }
    value = decimal.negative ? -T{0} : T{0};
  } else if (error != std::errc() || end != decimal.end || !std::isfinite(value)) {
    return nullptr;
  }
  *out = value;
  return decimal.end;
}

// mantissa * 10^exponent in double arithmetic: one rounding when the mantissa is below 2^53, two
// otherwise.
double Scale(const Decimal& decimal) {
  const auto mantissa = static_cast<double>(decimal.mantissa);
  const double magnitude = decimal.exponent < 0 ? mantissa / kPowersOfTen[-decimal.exponent]
                                                : mantissa * kPowersOfTen[decimal.exponent];
  return decimal.negative ? -magnitude : magnitude;
}

bool PowerIsExact(const Decimal& decimal) {
  return decimal.exact && decimal.exponent >= -kExactPowerMax && decimal.exponent <= kExactPowerMax;
}

// Whether rounding `value`, a double that may be off by two units in its last place, to float gives
// what rounding the true number would: it does unless it lies next to the middle between two
// floats, or outside the floats' normal range.
bool RoundsSafelyToFloat(double value) {
  constexpr std::uint64_t kDroppedBits = (std::uint64_t{1} << 29) - 1;
  constexpr std::uint64_t kMiddle = std::uint64_t{1} << 28;
  constexpr std::uint64_t kDoubt = 4;
  const std::uint64_t dropped = std::bit_cast<std::uint64_t>(value) & kDroppedBits;
  const double magnitude = std::fabs(value);
  return dropped - (kMiddle - kDoubt) > 2 * kDoubt && magnitude < 3e38 && magnitude > 1.2e-38;
}

}  // namespace

ScannedNumber ScanNumber(const char* p) {
  p += *p == '-' ? 1 : 0;
  const char* first = p;
  p = SkipDigits(p);
  if (p == first || (*first == '0' && p - first > 1)) {
    return {};
  }
  bool integer = true;
  if (*p == '.') {
    const char* fraction = p + 1;
    p = SkipDigits(fraction);
    if (p == fraction) {
      return {};
    }
    integer = false;
  }
  if (*p == 'e' || *p == 'E') {
    std::int64_t exponent = 0;
    p = ReadExponent(p + 1, &exponent);
    integer = false;
  }
  return {p, integer};
}

const char* ParseNumber(const char* p, double* out) {
  const Decimal decimal = ReadDecimal(p);
  if (decimal.end == nullptr) {
    return nullptr;
  }
  if (PowerIsExact(decimal) && decimal.mantissa <= std::uint64_t{1} << 53) [[likely]] {
    *out = Scale(decimal);
    return decimal.end;
  }
  return ParseSlowly(p, decimal, out);
}

const char* ParseNumber(const char* p, float* out) {
  const Decimal decimal = ReadDecimal(p);
  if (decimal.end == nullptr) {
    return nullptr;
  }
  if (PowerIsExact(decimal)) [[likely]] {
    const double value = Scale(decimal);
    if (decimal.mantissa == 0 || RoundsSafelyToFloat(value)) [[likely]] {
      *out = static_cast<float>(value);
      return decimal.end;
    }
  }
  return ParseSlowly(p, decimal, out);
}

}  // namespace headrace::protocol

// Reads one JSON number, exactly and without going beyond its type.
//
// Every function takes a text that is followed by a byte which cannot belong to a number (a JSON
// document that ends with a brace has that property), and reads nothing behind that byte. The
// grammar is JSON's: no '+', no leading zero, no bare point.
#ifndef HEADRACE_PROTOCOL_JSON_NUMBER_H_
#define HEADRACE_PROTOCOL_JSON_NUMBER_H_

#include <concepts>
#include <cstdint>
#include <limits>

namespace headrace::protocol {

inline bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

struct ScannedNumber {
  const char* end = nullptr;  // behind the number; null: it is not one
  bool integer = false;       // neither fraction nor exponent
};
ScannedNumber ScanNumber(const char* p);

// The number at `p`: returns its end, or null when there is none, when T cannot hold it, or when T
// is an integer type and the number has a fraction or an exponent. Which of these it was,
// ScanNumber tells.
template <std::integral T>
const char* ParseNumber(const char* p, T* out) {
  const bool negative = *p == '-';
  p += negative ? 1 : 0;
  if (!IsDigit(*p)) {
    return nullptr;
  }
  const char* first = p;
  std::uint64_t magnitude = 0;
  bool overflow = false;
  for (; IsDigit(*p); ++p) {
    const auto digit = static_cast<std::uint64_t>(*p - '0');
    if (p - first < 19) [[likely]] {
      magnitude = magnitude * 10 + digit;
    } else {
      overflow |= __builtin_mul_overflow(magnitude, std::uint64_t{10}, &magnitude);
      overflow |= __builtin_add_overflow(magnitude, digit, &magnitude);
    }
  }
  const bool leading_zero = *first == '0' && p - first > 1;
  if (overflow || leading_zero || *p == '.' || *p == 'e' || *p == 'E') {
    return nullptr;
  }
  auto limit = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  if (negative) {
    limit = std::signed_integral<T> ? limit + 1 : 0;
  }
  if (magnitude > limit) {
    return nullptr;
  }
  *out = static_cast<T>(negative ? 0 - magnitude : magnitude);
  return p;
}

// Rounded once, to nearest, ties to even. Too small for the type: zero with the number's sign. Too
// large: null.
const char* ParseNumber(const char* p, float* out);
const char* ParseNumber(const char* p, double* out);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_JSON_NUMBER_H_

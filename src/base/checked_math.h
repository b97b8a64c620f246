// Arithmetic for sizes that came from outside: every operation says whether it overflowed.
#ifndef HEADRACE_BASE_CHECKED_MATH_H_
#define HEADRACE_BASE_CHECKED_MATH_H_

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace headrace {

template <std::integral T>
std::optional<T> CheckedAdd(T a, T b) {
  T sum;
  return __builtin_add_overflow(a, b, &sum) ? std::nullopt : std::optional<T>(sum);
}

template <std::integral T>
std::optional<T> CheckedMultiply(T a, T b) {
  T product;
  return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional<T>(product);
}

// The whole of `text` as a decimal number of type T: no sign for unsigned types, no '+', no blank,
// no rest.
template <std::integral T>
std::optional<T> ParseDecimal(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, value, 10);
  if (error != std::errc() || next != end || text.empty()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace headrace

#endif  // HEADRACE_BASE_CHECKED_MATH_H_

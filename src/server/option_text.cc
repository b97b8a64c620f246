#include "server/option_text.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/checked_math.h"

namespace headrace::server {

Result<bool> ParseBool(std::string_view text) {
  const std::string lower = LowerCase(text);
  static constexpr std::array<std::string_view, 4> kTrue = {"true", "on", "1", "yes"};
  static constexpr std::array<std::string_view, 4> kFalse = {"false", "off", "0", "no"};
  if (std::find(kTrue.begin(), kTrue.end(), lower) != kTrue.end()) {
    return true;
  }
  if (std::find(kFalse.begin(), kFalse.end(), lower) != kFalse.end()) {
    return false;
  }
  return InvalidArgument("expected true or false, got '{}'", text);
}

Result<std::uint64_t> ParseNumber(std::string_view text, std::uint64_t minimum,
                                  std::uint64_t maximum) {
  const auto number = ParseDecimal<std::uint64_t>(text);
  if (!number || *number < minimum || *number > maximum) {
    return InvalidArgument("expected a number from {} to {}, got '{}'", minimum, maximum, text);
  }
  return *number;
}

}  // namespace headrace::server

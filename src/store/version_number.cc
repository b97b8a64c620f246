#include "store/version_number.h"

#include <algorithm>
#include <cstddef>

#include "base/log.h"
#include "repository/names.h"

namespace headrace::store {
namespace {

constexpr std::size_t kVersionByteSizeMax = 128;

bool IsVersionByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '+' || c == '.';
}

}  // namespace

Status CheckVersionName(std::string_view name) {
  if (!name.empty() && name.size() <= kVersionByteSizeMax &&
      std::all_of(name.begin(), name.end(), IsVersionByte) &&
      name.find("..") == std::string_view::npos) {
    return OkStatus();
  }
  return InvalidArgument(
      "invalid model version '{}': it must be 1 to {} letters, digits, '_', '-', '+' and '.', "
      "without '..'",
      EscapeForLog(name, kVersionByteSizeMax), kVersionByteSizeMax);
}

std::int64_t NumberOfVersion(std::string_view name, const std::set<std::int64_t>& taken) {
  const std::string_view whole = name.ends_with(".0") ? name.substr(0, name.size() - 2) : name;
  const auto number = repository::ParseVersionName(whole);
  if (number && *number <= kOwnNumberMax && taken.count(*number) == 0) {
    return *number;
  }
  std::int64_t other = kOwnNumberMax + 1;
  while (taken.count(other) > 0) {
    ++other;
  }
  return other;
}

}  // namespace headrace::store

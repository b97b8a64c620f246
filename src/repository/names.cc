#include "repository/names.h"

#include <algorithm>
#include <string>

#include "base/checked_math.h"
#include "base/log.h"

namespace headrace::repository {
namespace {

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool IsNameByte(char c) { return IsWord(c) || c == '.' || c == '-'; }

// Empty when the name is good.
std::string_view NameFault(std::string_view name) {
  if (name.empty()) {
    return "it is empty";
  }
  if (name.size() > kModelNameByteSizeMax) {
    return "it is longer than 128 bytes";
  }
  if (!std::all_of(name.begin(), name.end(), IsNameByte)) {
    return "only letters, digits, '_', '-' and '.' are allowed";
  }
  if (!IsWord(name.front())) {
    return "it must start with a letter, a digit or '_'";
  }
  if (name.find("..") != std::string_view::npos) {
    return "'..' is not allowed";
  }
  return {};
}

}  // namespace

Status CheckModelName(std::string_view name) {
  const std::string_view fault = NameFault(name);
  if (fault.empty()) {
    return OkStatus();
  }
  return InvalidArgument("invalid model name '{}': {}", EscapeForLog(name, kModelNameByteSizeMax),
                         fault);
}

Status CheckLibraryName(std::string_view what, std::string_view name, std::string_view model) {
  const std::string_view fault = NameFault(name);
  if (fault.empty()) {
    return OkStatus();
  }
  return InvalidArgument("invalid {} name '{}' for {}: {}", what,
                         EscapeForLog(name, kModelNameByteSizeMax), model, fault);
}

std::optional<std::int64_t> ParseVersionName(std::string_view name) {
  if (name.empty() || name.front() < '1' || name.front() > '9') {
    return std::nullopt;
  }
  return ParseDecimal<std::int64_t>(name);
}

}  // namespace headrace::repository

#include "frontend/access_policy.h"

#include <algorithm>
#include <vector>

#include "base/ascii.h"
#include "base/constant_time.h"
#include "base/result.h"

namespace headrace::frontend {
namespace {

// Those that a rule may name. Metrics have a listener of their own.
constexpr OperationClass kClasses[] = {
    OperationClass::kHealth,       OperationClass::kMetadata,    OperationClass::kInference,
    OperationClass::kSharedMemory, OperationClass::kModelConfig, OperationClass::kModelRepository,
    OperationClass::kStatistics,   OperationClass::kTrace,       OperationClass::kLogging};

Result<OperationClass> ClassOf(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kClasses), std::end(kClasses),
                   [&](OperationClass operation) { return OperationClassName(operation) == name; });
  if (found != std::end(kClasses)) {
    return *found;
  }
  std::string known;
  for (const OperationClass operation : kClasses) {
    known += known.empty() ? "" : ", ";
    known += OperationClassName(operation);
  }
  return InvalidArgument("there is no API '{}' to restrict, only {}", name, known);
}

// Transports cut blanks at both ends, and let no control byte through.
bool IsHeaderValue(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

Status AccessPolicy::AddRule(std::string_view rule) {
  const std::size_t colon = rule.find(':');
  const std::size_t equals = colon == std::string_view::npos ? colon : rule.find('=', colon);
  if (equals == std::string_view::npos) {
    return InvalidArgument("expected <API>[,<API>...]:<header>=<value>");
  }
  const Key key{std::string(rule.substr(colon + 1, equals - colon - 1)),
                std::string(rule.substr(equals + 1))};
  if (!IsHeaderName(key.header)) {
    return InvalidArgument("'{}' is no name of a header", key.header);
  }
  if (!IsHeaderValue(key.value)) {
    return InvalidArgument(
        "the value of header '{}' is empty, or has blanks at its ends or bytes that are not ASCII",
        key.header);
  }
  std::vector<OperationClass> classes;
  for (std::string_view rest = rule.substr(0, colon);;) {
    const std::size_t comma = rest.find(',');
    HEADRACE_ASSIGN_OR_RETURN(const OperationClass operation, ClassOf(rest.substr(0, comma)));
    if (KeyOf(operation) != nullptr ||
        std::find(classes.begin(), classes.end(), operation) != classes.end()) {
      return InvalidArgument("API '{}' is restricted twice", OperationClassName(operation));
    }
    classes.push_back(operation);
    if (comma == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  for (const OperationClass operation : classes) {
    keys_[static_cast<std::size_t>(operation)] = key;
  }
  ++rule_count_;
  return OkStatus();
}

bool AccessPolicy::Opens(const Key& key, std::optional<std::string_view> value) {
  return value && EqualInConstantTime(key.value, *value);
}

}  // namespace headrace::frontend

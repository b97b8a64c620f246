// Reads flat settings, as the trace and logging endpoints take them (contracts, Triton 1.11).
#ifndef HEADRACE_PROTOCOL_SETTINGS_JSON_H_
#define HEADRACE_PROTOCOL_SETTINGS_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace headrace::protocol {

// Null (monostate), a truth value, a whole number, a text, or a list of texts.
using SettingValue =
    std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>>;
using Settings = std::vector<std::pair<std::string, SettingValue>>;

// A JSON object whose members have such values, in their order; an empty body is an empty object.
// INVALID_ARGUMENT names the member that has another. The body must be followed by
// JsonCursor::kPadding readable bytes.
Result<Settings> ParseSettings(std::string_view body);

// The same the other way.
std::string SettingsJson(const Settings& settings);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_SETTINGS_JSON_H_

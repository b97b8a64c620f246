// Reads fields of a profile's document; what is missing is nothing.
#ifndef HEADRACE_CLI_PROFILE_JSON_H_
#define HEADRACE_CLI_PROFILE_JSON_H_

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

namespace headrace::cli {

using JsonElement = simdjson::dom::element;

inline double JsonNumber(const JsonElement& object, std::string_view key) {
  double number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

inline std::string JsonText(const JsonElement& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

inline bool JsonFlag(const JsonElement& object, std::string_view key) {
  bool flag = false;
  return object[key].get(flag) == simdjson::SUCCESS && flag;
}

inline std::vector<JsonElement> JsonList(const JsonElement& object, std::string_view pointer) {
  simdjson::dom::array list;
  if (object.at_pointer(pointer).get(list) != simdjson::SUCCESS) {
    return {};
  }
  return {list.begin(), list.end()};
}

// What is said where the document is "truncated".
inline constexpr const char* kOperatorsLeftOut =
    "the record was full, later operators are left out: ask for fewer --seconds or --requests";
inline constexpr const char* kBatchesLeftOut =
    "the record of batches was full, later ones are left out: ask for fewer --seconds or "
    "--requests";

inline constexpr const char* kSamplesLeftOut = "not all samples of the processor could be kept";
inline constexpr const char* kWithoutKernel =
    "time in the kernel is not in it: kernel.perf_event_paranoid=1 (or less) or CAP_PERFMON allows "
    "it";

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_PROFILE_JSON_H_

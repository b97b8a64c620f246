// YAML as JSON, for settings that come from outside.
#ifndef HEADRACE_REPOSITORY_YAML_JSON_H_
#define HEADRACE_REPOSITORY_YAML_JSON_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::repository {

inline constexpr std::size_t kYamlByteSizeMax = std::size_t{1} << 20;

// The first document of `yaml`; {} for none. Plain scalars are null, true, numbers or strings by
// the rules of YAML 1.1, as Python's loader has them; keys are strings; "<<" merges.
// INVALID_ARGUMENT with line and column for a fault; for a tag that is none of YAML's own (no code
// is ever made of it); and for a document that is larger than kYamlByteSizeMax, nested deeper than
// 64 levels or, with its aliases written out, longer than 100,000 values. Thread-safe.
Result<std::string> YamlToJson(std::string_view yaml);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_YAML_JSON_H_

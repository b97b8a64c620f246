// A model's configuration as JSON: what the configuration endpoint shows, what backends get and
// propose, and what a load request may carry in place of config.pbtxt. Thread-safe.
#ifndef HEADRACE_REPOSITORY_CONFIG_JSON_H_
#define HEADRACE_REPOSITORY_CONFIG_JSON_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// Contracts, Triton 1.5: fields named and ordered as in the .proto, scalars printed also when they
// are default, enums as names, 64-bit integers as numbers. Messages that are not set and
// alternatives that are not chosen are left out. Requires: strings are UTF-8.
std::string ConfigToJson(const inference::ModelConfig& config);

// The reverse, strictly: INVALID_ARGUMENT "<field path>: what" for an unknown field ("...: Cannot
// find field."), a wrong type, a number out of range, a field given twice; also for what is no
// JSON, is nested deeper than kConfigDepthMax or longer than kConfigByteSizeMax. Integers may be
// numbers or decimal strings, enums names in any case or numbers, field names snake_case or
// camelCase; null leaves a field unset.
Result<inference::ModelConfig> ConfigFromJson(std::string_view json);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_CONFIG_JSON_H_

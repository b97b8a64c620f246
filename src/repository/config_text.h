// Reads config.pbtxt (contracts, Triton 3).
#ifndef HEADRACE_REPOSITORY_CONFIG_TEXT_H_
#define HEADRACE_REPOSITORY_CONFIG_TEXT_H_

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

inline constexpr std::size_t kConfigByteSizeMax = std::size_t{16} << 20;
inline constexpr int kConfigDepthMax = 64;

// The configuration that `text` describes; an empty text is an empty configuration.
// INVALID_ARGUMENT with
// "<source>:<line>:<column>: what" (counted from 1) for the first fault: syntax, unknown field,
// wrong type, a value out of range, a field set twice, nesting beyond kConfigDepthMax, a text
// beyond kConfigByteSizeMax or one that is not UTF-8. `source` is only shown. Thread-safe.
Result<inference::ModelConfig> ParseConfigText(std::string_view text, std::string_view source);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_CONFIG_TEXT_H_

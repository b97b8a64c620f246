// A profile's document as tables for a terminal.
#ifndef HEADRACE_CLI_PROFILE_TEXT_H_
#define HEADRACE_CLI_PROFILE_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::cli {

// `document`: what POST /v2/models/M/profile answers. At most `operators_max` lines of the table of
// operators. INTERNAL where it is no such document.
Result<std::string> ProfileText(std::string_view document, std::size_t operators_max);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_PROFILE_TEXT_H_

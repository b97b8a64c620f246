// Reads and prints option values.
#ifndef HEADRACE_SERVER_OPTION_TEXT_H_
#define HEADRACE_SERVER_OPTION_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::server {

// true, on, 1, yes / false, off, 0, no, in any case (contracts, Triton 7.1).
Result<bool> ParseBool(std::string_view text);
// A decimal number in [minimum, maximum].
Result<std::uint64_t> ParseNumber(std::string_view text, std::uint64_t minimum,
                                  std::uint64_t maximum);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_OPTION_TEXT_H_

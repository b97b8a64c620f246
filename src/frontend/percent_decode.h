// Parts of a path as their senders meant them. Pure, thread-safe.
#ifndef HEADRACE_FRONTEND_PERCENT_DECODE_H_
#define HEADRACE_FRONTEND_PERCENT_DECODE_H_

#include <string>
#include <string_view>

namespace headrace::frontend {

// "%3A" -> ":" (RFC 3986, 2.1). What is no such triplet stays as it is.
std::string PercentDecode(std::string_view text);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PERCENT_DECODE_H_

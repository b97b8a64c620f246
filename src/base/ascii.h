// Text of protocol headers, which is ASCII whatever the locale. Pure, thread-safe.
#ifndef HEADRACE_BASE_ASCII_H_
#define HEADRACE_BASE_ASCII_H_

#include <string>
#include <string_view>

namespace headrace {

bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// With the letters A to Z as a to z; all other bytes stay.
std::string LowerCase(std::string_view text);

// Without the blanks and tabs at both ends.
std::string_view TrimBlanks(std::string_view text);

// Whether it may be the name of a header (RFC 9110, 5.6.2); an empty text may not.
bool IsHeaderName(std::string_view text);

}  // namespace headrace

#endif  // HEADRACE_BASE_ASCII_H_

// One part of a form, in whichever encoding it came.
#ifndef HEADRACE_PROTOCOL_FORM_PART_H_
#define HEADRACE_PROTOCOL_FORM_PART_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace headrace::protocol {

// More parts of one request are refused.
inline constexpr std::size_t kFormPartCountMax = 1024;

struct FormPart {
  std::string name;
  std::string type;  // its media type without parameters, as sent; empty for a plain field
  std::size_t offset = 0, byte_size = 0;  // of its bytes, in the body or in what was decoded
};

// `value` of a header up to its first ';', without blanks around it: "text/plain" of "text/plain;
// charset=utf-8".
std::string_view MediaType(std::string_view value);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_FORM_PART_H_

// Reads base64 (RFC 4648, section 4).
#ifndef HEADRACE_FRONTEND_BASE64_H_
#define HEADRACE_FRONTEND_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace headrace::frontend {

// The decoded bytes; nothing unless `text` is padded base64 without anything else in it.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_BASE64_H_

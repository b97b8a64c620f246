// multipart/form-data (RFC 7578, RFC 2046).
#ifndef HEADRACE_PROTOCOL_MULTIPART_H_
#define HEADRACE_PROTOCOL_MULTIPART_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/form_part.h"

namespace headrace::protocol {

// The boundary that a Content-Type names; nothing if it names none, or one that RFC 2046 does not
// allow.
std::optional<std::string> MultipartBoundary(std::string_view content_type);

// The parts of `body`, in order, as places in it. A part with a file name and without a type counts
// as application/octet-stream. INVALID_ARGUMENT for a body that ends before its last boundary, a
// part without a name or with a head of more than 16 KiB, and for more than kFormPartCountMax
// parts. Cost: one pass, by memmem.
Result<std::vector<FormPart>> ParseMultipart(std::string_view body, std::string_view boundary);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_MULTIPART_H_

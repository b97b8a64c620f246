// Strict base64 (RFC 4648, section 4).
#ifndef HEADRACE_PROTOCOL_BASE64_H_
#define HEADRACE_PROTOCOL_BASE64_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::protocol {

// INVALID_ARGUMENT unless `text` is whole groups of four characters of the standard alphabet, with
// '=' only as the padding of the last group and no stray bits under it: every byte string has
// exactly one accepted form. Blanks are refused.
Result<std::string> DecodeBase64(std::string_view text);

// With padding.
std::string EncodeBase64(std::string_view bytes);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_BASE64_H_

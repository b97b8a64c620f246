// The request headers that an inference request is about, taken from the head in one pass.
#ifndef HEADRACE_FRONTEND_INFER_HEADERS_H_
#define HEADRACE_FRONTEND_INFER_HEADERS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "protocol/compression.h"

namespace headrace::frontend {

// Views into the head. A header that came several times keeps its first value, and its count says
// so.
struct InferHeaders {
  std::string_view content_encoding;
  std::string_view accept_encoding;
  std::string_view json_byte_size;  // Inference-Header-Content-Length
  std::uint32_t content_encoding_count = 0;
  std::uint32_t json_byte_size_count = 0;

  static InferHeaders Of(const net::HttpRequestHead& head);

  // The size of the JSON part; nothing without the header; 0 = raw binary request (contracts,
  // Triton 1.7). INVALID_ARGUMENT unless it is one plain decimal number. `body_byte_size`, when
  // known, bounds it and goes into the message.
  Result<std::optional<std::uint64_t>> JsonByteSize(
      std::optional<std::uint64_t> body_byte_size) const;

  // How the body is coded; UNIMPLEMENTED "Unsupported compression type" for what is not supported.
  Result<protocol::ContentCoding> RequestCoding() const;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_INFER_HEADERS_H_

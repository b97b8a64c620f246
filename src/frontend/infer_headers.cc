#include "frontend/infer_headers.h"

#include <charconv>

namespace headrace::frontend {
namespace {

// `lower` is in lower case and of the same size as `name`.
bool EqualsLower(std::string_view name, std::string_view lower) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != lower[i]) {
      return false;
    }
  }
  return true;
}

constexpr std::string_view kContentEncoding = "content-encoding";
constexpr std::string_view kAcceptEncoding = "accept-encoding";
constexpr std::string_view kJsonByteSize = "inference-header-content-length";

}  // namespace

InferHeaders InferHeaders::Of(const net::HttpRequestHead& head) {
  InferHeaders found;
  // The three names differ in length, so most headers cost one comparison of sizes.
  for (const auto& [name, value] : head.headers) {
    if (name.size() == kAcceptEncoding.size() && EqualsLower(name, kAcceptEncoding)) {
      if (found.accept_encoding.empty()) {
        found.accept_encoding = value;
      }
    } else if (name.size() == kContentEncoding.size() && EqualsLower(name, kContentEncoding)) {
      if (found.content_encoding_count++ == 0) {
        found.content_encoding = value;
      }
    } else if (name.size() == kJsonByteSize.size() && EqualsLower(name, kJsonByteSize)) {
      if (found.json_byte_size_count++ == 0) {
        found.json_byte_size = value;
      }
    }
  }
  return found;
}

Result<std::optional<std::uint64_t>> InferHeaders::JsonByteSize(
    std::optional<std::uint64_t> body_byte_size) const {
  if (json_byte_size_count == 0) {
    return std::optional<std::uint64_t>();
  }
  if (json_byte_size_count > 1) {
    return InvalidArgument("Inference-Header-Content-Length was given {} times",
                           json_byte_size_count);
  }
  std::uint64_t size = 0;
  const char* const last = json_byte_size.data() + json_byte_size.size();
  const auto [end, error] = std::from_chars(json_byte_size.data(), last, size);
  if (error != std::errc() || end != last || (body_byte_size && size > *body_byte_size)) {
    constexpr std::size_t kShownMax = 32;
    if (body_byte_size) {
      return InvalidArgument("inference header size should be in range (0, {}), got: {}",
                             *body_byte_size, json_byte_size.substr(0, kShownMax));
    }
    return InvalidArgument("Inference-Header-Content-Length should be a decimal number, got: {}",
                           json_byte_size.substr(0, kShownMax));
  }
  return std::optional<std::uint64_t>(size);
}

Result<protocol::ContentCoding> InferHeaders::RequestCoding() const {
  if (content_encoding_count == 0) {
    return protocol::ContentCoding::kIdentity;
  }
  if (content_encoding_count > 1) {
    return Unimplemented("Unsupported compression type");
  }
  return protocol::ParseContentEncoding(content_encoding);
}

}  // namespace headrace::frontend

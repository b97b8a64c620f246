#include "net/http2_head.h"

namespace headrace::net {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113, 6.5.2
constexpr std::size_t kExpectedByteSize = 512;
constexpr std::size_t kExpectedFieldCount = 12;

}  // namespace

Http2Head::Part Http2Head::Store(std::string_view text) {
  const Part part{static_cast<std::uint32_t>(bytes_.size()),
                  static_cast<std::uint32_t>(text.size())};
  bytes_.append(text);
  return part;
}

void Http2Head::Add(std::string_view name, std::string_view value) {
  list_byte_size_ += name.size() + value.size() + kFieldOverhead;
  field_count_ += name.starts_with(':') ? 0 : 1;
  if (too_large()) {
    // What says where the answer goes is kept as far as it is of ordinary size.
    if (name != ":path" && name != "content-type" && name != ":method") {
      return;
    }
    value = value.substr(0, kExpectedByteSize);
  }
  if (bytes_.empty()) {
    bytes_.reserve(kExpectedByteSize);
    fields_.reserve(kExpectedFieldCount);
  }
  if (name.starts_with(':')) {
    if (name == ":method") {
      method_ = Store(value);
    } else if (name == ":path") {
      path_ = Store(value);
    } else if (name == ":authority") {
      authority_ = Store(value);
    }
    return;
  }
  const Part stored_name = Store(name);
  fields_.push_back({stored_name, Store(value)});
  if (name == "content-type") {
    content_type_ = fields_.back().value;
  }
}

bool Http2Head::IsGrpc() const {
  constexpr std::string_view kGrpc = "application/grpc";
  const std::string_view type = content_type();
  return type.starts_with(kGrpc) && (type.size() == kGrpc.size() || type[kGrpc.size()] == '+' ||
                                     type[kGrpc.size()] == ';' || type[kGrpc.size()] == ' ');
}

}  // namespace headrace::net

#include "load/grpc_call_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "load/socket_address.h"
#include "net/grpc_text.h"

namespace headrace::load {
namespace {

// grpc-timeout: eight digits at most, and a unit.
std::string TimeoutText(Nanos timeout) {
  constexpr Nanos kValueMax = 99'999'999;
  if (timeout / kMillisecond <= kValueMax) {
    return fmt::format("{}m", std::max<Nanos>(timeout / kMillisecond, 1));
  }
  return fmt::format("{}S", std::min(timeout / kSecond, kValueMax));
}

std::uint8_t* Bytes(const std::string& text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

}  // namespace

GrpcCallFields::GrpcCallFields(const TargetSpec& target, std::string_view path, Nanos timeout) {
  texts_ = {{":method", "POST"},
            {":scheme", target.tls.enabled ? "https" : "http"},
            {":path", std::string(path)},
            {":authority", target.unix_socket.empty() ? AddressText(target) : "localhost"},
            {"te", "trailers"},
            {"content-type", "application/grpc"},
            {"user-agent", "headrace-bench"}};
  if (timeout != kNever) {
    texts_.emplace_back("grpc-timeout", TimeoutText(timeout));
  }
  if (!target.grpc_compression.empty()) {
    texts_.emplace_back("grpc-encoding", target.grpc_compression);
    texts_.emplace_back("grpc-accept-encoding", net::kGrpcAcceptEncoding);
  }
  for (const auto& [name, value] : target.headers) {
    texts_.emplace_back(LowerCase(name), value);
  }
  for (const auto& [name, value] : texts_) {
    fields_.push_back({Bytes(name), Bytes(value), name.size(), value.size(),
                       NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE});
  }
}

}  // namespace headrace::load

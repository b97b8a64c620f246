#include "torchserve/access_log.h"

#include <fmt/format.h>

#include <string_view>

namespace headrace::torchserve {
namespace {

constexpr std::size_t kTargetByteSizeMax = 1024;  // of what a client chooses (reliability D21)

}  // namespace

std::string PeerText(std::uint64_t peer) {
  if (peer == 0) {
    return "/local";
  }
  if (peer >> 32 == 1) {
    return fmt::format("/{}.{}.{}.{}", peer >> 24 & 255, peer >> 16 & 255, peer >> 8 & 255,
                       peer & 255);
  }
  if (peer == 1) {
    return "/[::1]";
  }
  // The first 64 bits, in the order of the network.
  const auto* bytes = reinterpret_cast<const unsigned char*>(&peer);
  const auto word = [&](int i) { return bytes[2 * i] << 8 | bytes[2 * i + 1]; };
  return fmt::format("/[{:x}:{:x}:{:x}:{:x}::]", word(0), word(1), word(2), word(3));
}

void AccessLog::OnAnswer(const net::HttpExchange& exchange, int status) {
  const net::HttpRequestHead& head = exchange.head();
  const std::string_view target = head.target.substr(0, kTargetByteSizeMax);
  lines_.Write(LogName::kAccess, LogLevel::kInfo, {},
               fmt::format("{} \"{} {}{} HTTP/1.1\" {} {}", PeerText(exchange.peer()),
                           net::HttpMethodName(head.method), target,
                           target.size() < head.target.size() ? "..." : "", status,
                           (clock_.Now() - exchange.begun()) / kMillisecond));
}

void AccessLog::OnEnd(const net::GrpcCall& call, StatusCode code) {
  std::string_view method = call.head().path;
  method.remove_prefix(method.starts_with('/') ? 1 : 0);
  const std::string_view shown = method.substr(0, kTargetByteSizeMax);
  lines_.Write(LogName::kAccess, LogLevel::kInfo, {},
               fmt::format("{} \"gRPC {}{} HTTP/2.0\" {} {}", PeerText(call.peer()), shown,
                           shown.size() < method.size() ? "..." : "", static_cast<int>(code),
                           (clock_.Now() - call.begun()) / kMillisecond));
}

}  // namespace headrace::torchserve

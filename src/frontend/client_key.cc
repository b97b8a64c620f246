#include "frontend/client_key.h"

#include <functional>
#include <string_view>

namespace headrace::frontend {
namespace {

// `request` is an exchange or a call: what has a head with a Header and a peer.
template <typename Request>
std::uint64_t KeyOf(const FrontEndOptions& options, const Request& request) {
  if (!options.client_header.empty()) {
    const auto value = request.head().Header(options.client_header);
    if (value && !value->empty()) {
      return std::hash<std::string_view>()(*value);
    }
  }
  return request.peer();
}

}  // namespace

std::uint64_t ClientKey(const FrontEndOptions& options, const net::HttpExchange& exchange) {
  return KeyOf(options, exchange);
}

std::uint64_t ClientKey(const FrontEndOptions& options, const net::GrpcCall& call) {
  return KeyOf(options, call);
}

}  // namespace headrace::frontend

#include "bench/suite_addresses.h"

#include <charconv>

namespace headrace::bench {

Status SetAddress(std::string_view text, load::Protocol protocol, load::TargetSpec& target) {
  const std::string whole(text);
  target.protocol = protocol;
  target.port = protocol == load::Protocol::kV2Grpc       ? 8001
                : protocol == load::Protocol::kTorchServe ? 8080
                                                          : 8000;
  if (text.starts_with("unix:")) {
    target.unix_socket = text.substr(5);
    return target.unix_socket.empty() ? InvalidArgument("'{}' has no path", whole) : OkStatus();
  }
  for (const std::string_view scheme : {"http://", "grpc://", "https://", "grpcs://"}) {
    if (text.starts_with(scheme)) {
      text.remove_prefix(scheme.size());
      target.tls.enabled = scheme.find("s:") != std::string_view::npos;
    }
  }
  while (text.ends_with('/')) {
    text.remove_suffix(1);
  }
  // "[::1]:8000": the colons in brackets are no port.
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  std::string_view host = has_port ? text.substr(0, colon) : text;
  if (has_port) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), target.port);
    if (error != std::errc() || end != digits.data() + digits.size() || target.port == 0) {
      return InvalidArgument("'{}': '{}' is no port from 1 to 65535", whole, digits);
    }
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || host.find_first_of("/ ?#") != std::string_view::npos) {
    return InvalidArgument("'{}' is no address such as 127.0.0.1:8000 or unix:PATH", whole);
  }
  target.host = host;
  return OkStatus();
}

}  // namespace headrace::bench

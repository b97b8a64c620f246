#include "server/listen_address.h"

#include <arpa/inet.h>

namespace headrace::server {
namespace {

Result<ListenAddress> ParseOne(const std::string& text) {
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return ListenAddress{text, false, (ntohl(v4.s_addr) >> 24) == 127};
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
    return ListenAddress{text, true, IN6_IS_ADDR_LOOPBACK(&v6) != 0};
  }
  return InvalidArgument("'{}' is not a numeric IPv4 or IPv6 address", text);
}

}  // namespace

Result<std::vector<ListenAddress>> ParseListenAddresses(std::string_view text) {
  if (text == "localhost") {
    text = "127.0.0.1,::1";
  }
  std::vector<ListenAddress> addresses;
  while (true) {
    const std::size_t comma = text.find(',');
    HEADRACE_ASSIGN_OR_RETURN(ListenAddress address, ParseOne(std::string(text.substr(0, comma))));
    addresses.push_back(std::move(address));
    if (comma == std::string_view::npos) {
      return addresses;
    }
    text.remove_prefix(comma + 1);
  }
}

Status CheckExposure(const std::vector<ListenAddress>& addresses, bool allow_remote,
                     std::string_view option) {
  for (const ListenAddress& address : addresses) {
    if (!address.loopback && !allow_remote) {
      return InvalidArgument(
          "--{}={} can be reached by other machines, and nothing on it is encrypted or "
          "authenticated; use a loopback "
          "address, or confirm with --insecure-allow-remote=true",
          option, address.text);
    }
  }
  return OkStatus();
}

std::string HostAndPort(const ListenAddress& address, std::uint16_t port) {
  return address.ipv6 ? fmt::format("[{}]:{}", address.text, port)
                      : fmt::format("{}:{}", address.text, port);
}

}  // namespace headrace::server

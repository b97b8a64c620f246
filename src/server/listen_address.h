// Which addresses to listen at, and whether other machines reach them.
#ifndef HEADRACE_SERVER_LISTEN_ADDRESS_H_
#define HEADRACE_SERVER_LISTEN_ADDRESS_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::server {

struct ListenAddress {
  std::string text;  // numeric, without brackets
  bool ipv6 = false;
  bool loopback = false;
};

// A comma-separated list of numeric IPv4 and IPv6 addresses; "localhost" means both loopback
// addresses. INVALID_ARGUMENT names the part that is no address.
Result<std::vector<ListenAddress>> ParseListenAddresses(std::string_view text);

// Refuses addresses that are not loopback unless `allow_remote` (reliability D1); `option` names
// the flag in the message.
Status CheckExposure(const std::vector<ListenAddress>& addresses, bool allow_remote,
                     std::string_view option);

// "127.0.0.1:8000", "[::1]:8000"
std::string HostAndPort(const ListenAddress& address, std::uint16_t port);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_LISTEN_ADDRESS_H_

#include "net/peer_key.h"

#include <netinet/in.h>

#include <cstring>

namespace headrace::net {
namespace {

// Tells IPv4 from IPv6, whose first 64 bits never look so.
constexpr std::uint64_t kIpv4 = std::uint64_t{1} << 32;

std::uint64_t Ipv4Key(const void* address) {
  std::uint32_t bits;
  std::memcpy(&bits, address, sizeof(bits));
  return kIpv4 | ntohl(bits);
}

}  // namespace

std::uint64_t PeerKey(const sockaddr_storage& address, socklen_t byte_size) {
  if (address.ss_family == AF_INET && byte_size >= sizeof(sockaddr_in)) {
    return Ipv4Key(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  }
  if (address.ss_family == AF_INET6 && byte_size >= sizeof(sockaddr_in6)) {
    const in6_addr& whole = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&whole)) {
      return Ipv4Key(whole.s6_addr + 12);
    }
    std::uint64_t network;
    std::memcpy(&network, whole.s6_addr, sizeof(network));
    // ::1 and the rest of ::/64 must not look like a peer that is not known.
    return network == 0 ? 1 : network;
  }
  return 0;
}

}  // namespace headrace::net

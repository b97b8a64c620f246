// A number for the host that a connection comes from.
#ifndef HEADRACE_NET_PEER_KEY_H_
#define HEADRACE_NET_PEER_KEY_H_

#include <sys/socket.h>

#include <cstdint>

namespace headrace::net {

// The same for all connections of one host: of IPv4 the whole address, also where it comes mapped
// into IPv6; of IPv6 its first 64 bits, since one host may have all addresses below them. 0 for
// anything else (a socket of another kind, an address that the kernel did not say). Not secret: an
// IPv4 address can be read from it.
std::uint64_t PeerKey(const sockaddr_storage& address, socklen_t byte_size);

}  // namespace headrace::net

#endif  // HEADRACE_NET_PEER_KEY_H_

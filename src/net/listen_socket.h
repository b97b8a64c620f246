// Listening sockets: TCP and Unix.
#ifndef HEADRACE_NET_LISTEN_SOCKET_H_
#define HEADRACE_NET_LISTEN_SOCKET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace headrace::net {

struct ListenAddress {
  std::string address;      // numeric IPv4 or IPv6, or "unix:PATH", which has no port
  std::uint16_t port = 0;   // 0 = any free port, the same for all sockets
  bool reuse_port = false;  // other processes may listen on it too
};

struct ListenSockets {
  std::uint16_t port = 0;
  std::vector<UniqueFd> sockets;
};

// `count` non-blocking sockets that share one address; the kernel spreads connections over them.
// All are bound before any listens. A Unix socket that nobody listens at any more is taken over.
// INVALID_ARGUMENT: the address is none of these. UNAVAILABLE: it is in use, forbidden or not ours.
Result<ListenSockets> OpenListenSockets(const ListenAddress& address, int count);

}  // namespace headrace::net

#endif  // HEADRACE_NET_LISTEN_SOCKET_H_

// Where a server listens, as the kernel wants it.
#ifndef HEADRACE_LOAD_SOCKET_ADDRESS_H_
#define HEADRACE_LOAD_SOCKET_ADDRESS_H_

#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "load/target.h"

namespace headrace::load {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  bool is_unix() const { return storage.ss_family == AF_UNIX; }
};

// "127.0.0.1:8000", "[::1]:8000" or "unix:PATH": how messages name the target.
std::string AddressText(const TargetSpec& target);

// All addresses of the target, in the resolver's order. Blocks. UNAVAILABLE: the host has none;
// INVALID_ARGUMENT: the path of the Unix socket is too long.
Result<std::vector<SocketAddress>> ResolveTarget(const TargetSpec& target);

// A non-blocking socket on its way to `address`: writable once it is up or has failed (SO_ERROR).
// UNAVAILABLE where it fails at once, with the system's reason.
Result<UniqueFd> StartConnect(const SocketAddress& address);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_SOCKET_ADDRESS_H_

// The addresses that a target's name means, and sockets to them.
#ifndef HEADRACE_LOAD_ENDPOINT_H_
#define HEADRACE_LOAD_ENDPOINT_H_

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "load/target.h"

namespace headrace::load {

// Resolved once, so that no run waits for a name. A value type.
struct Endpoint {
  struct Address {
    sockaddr_storage storage{};
    socklen_t byte_size = 0;
  };
  std::string name;       // for messages: "127.0.0.1:8001", or the socket's path
  std::string host;       // for TLS
  std::string authority;  // for HTTP
  std::vector<Address> addresses;  // never empty; in the order in which they are tried
};

// Blocks on the resolver. UNAVAILABLE: the name means nothing. INVALID_ARGUMENT: a socket's path
// that is too long.
Result<Endpoint> ResolveEndpoint(const TargetSpec& target);

// A non-blocking socket whose connection is under way, or made already; TCP without delay. -1 with
// errno where it failed at once.
UniqueFd BeginConnect(const Endpoint::Address& address);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_ENDPOINT_H_

#include "load/endpoint.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace headrace::load {

Result<Endpoint> ResolveEndpoint(const TargetSpec& target) {
  Endpoint endpoint;
  if (!target.unix_socket.empty()) {
    endpoint.name = target.unix_socket;
    endpoint.host = endpoint.authority = "localhost";
    Endpoint::Address address;
    auto* const to = reinterpret_cast<sockaddr_un*>(&address.storage);
    if (target.unix_socket.size() >= sizeof(to->sun_path)) {
      return InvalidArgument("the path of the Unix socket '{}' has more than {} bytes",
                             target.unix_socket, sizeof(to->sun_path) - 1);
    }
    to->sun_family = AF_UNIX;
    std::memcpy(to->sun_path, target.unix_socket.c_str(), target.unix_socket.size() + 1);
    address.byte_size = sizeof(sockaddr_un);
    endpoint.addresses.push_back(address);
    return endpoint;
  }
  endpoint.host = target.host;
  endpoint.name = endpoint.authority = target.host.find(':') == std::string::npos
                                           ? fmt::format("{}:{}", target.host, target.port)
                                           : fmt::format("[{}]:{}", target.host, target.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints,
                                  &found);
  if (error != 0) {
    return Unavailable("cannot find the host '{}': {}", target.host, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Endpoint::Address address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.byte_size = one->ai_addrlen;
    endpoint.addresses.push_back(address);
  }
  return endpoint;
}

UniqueFd BeginConnect(const Endpoint::Address& address) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    return fd;
  }
  if (address.storage.ss_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage),
                address.byte_size) != 0 &&
      errno != EINPROGRESS) {
    fd.Reset();
  }
  return fd;
}

}  // namespace headrace::load

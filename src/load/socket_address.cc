#include "load/socket_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

namespace headrace::load {

std::string AddressText(const TargetSpec& target) {
  if (!target.unix_socket.empty()) {
    return "unix:" + target.unix_socket;
  }
  const bool six = target.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", target.host, six ? "]" : "", target.port);
}

Result<std::vector<SocketAddress>> ResolveTarget(const TargetSpec& target) {
  std::vector<SocketAddress> addresses;
  if (!target.unix_socket.empty()) {
    SocketAddress address;
    auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
    if (target.unix_socket.size() >= sizeof(local.sun_path)) {
      return InvalidArgument("the path of the Unix socket has {} bytes, at most {} fit: {}",
                             target.unix_socket.size(), sizeof(local.sun_path) - 1,
                             target.unix_socket);
    }
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, target.unix_socket.data(), target.unix_socket.size());
    address.size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + target.unix_socket.size() + 1);
    addresses.push_back(address);
    return addresses;
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (error != 0) {
    return Unavailable("{}: the host '{}' has no address: {}", AddressText(target), target.host,
                       ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

Result<UniqueFd> StartConnect(const SocketAddress& address) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    return Unavailable("socket: {}", std::strerror(errno));
  }
  if (!address.is_unix()) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 &&
      errno != EINPROGRESS) {
    return Unavailable("{}", std::strerror(errno));
  }
  return fd;
}

}  // namespace headrace::load

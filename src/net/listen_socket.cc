#include "net/listen_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace headrace::net {
namespace {

constexpr int kBacklog = 4096;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t byte_size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  void SetPort(std::uint16_t port) {
    if (storage.ss_family == AF_INET) {
      reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
    } else {
      reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
    }
  }
};

Result<SocketAddress> ParseAddress(const ListenAddress& listen) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, listen.address.c_str(), &v4->sin_addr) == 1) {
    address.storage.ss_family = AF_INET;
    address.byte_size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, listen.address.c_str(), &v6->sin6_addr) == 1) {
    address.storage.ss_family = AF_INET6;
    address.byte_size = sizeof(sockaddr_in6);
  } else {
    return InvalidArgument("'{}' is not a numeric IPv4 or IPv6 address", listen.address);
  }
  address.SetPort(listen.port);
  return address;
}

bool SetOption(int fd, int level, int option) {
  const int on = 1;
  return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

Status Failure(const ListenAddress& listen) {
  return Unavailable("cannot listen on {}:{}: {}", listen.address, listen.port,
                     std::strerror(errno));
}

Result<std::uint16_t> BoundPort(int fd) {
  SocketAddress bound;
  bound.byte_size = sizeof(bound.storage);
  if (getsockname(fd, bound.get(), &bound.byte_size) != 0) {
    return Unavailable("cannot read the address of a socket: {}", std::strerror(errno));
  }
  return ntohs(bound.storage.ss_family == AF_INET
                   ? reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port
                   : reinterpret_cast<sockaddr_in6*>(&bound.storage)->sin6_port);
}

constexpr std::string_view kUnix = "unix:";

// A socket file that nobody listens at is left over from a process that was killed.
void RemoveStaleSocket(const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(address.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
    return;
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(address.sun_path);
  }
}

// One socket with as many descriptors as are wanted: whichever loop is first takes a connection.
Result<ListenSockets> OpenUnixSockets(const ListenAddress& listen, int count) {
  const std::string path = listen.address.substr(kUnix.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument("the path of a Unix socket has 1 to {} bytes, got '{}'",
                           sizeof(address.sun_path) - 1, path);
  }
  path.copy(address.sun_path, path.size());
  RemoveStaleSocket(address);
  ListenSockets result;
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return Unavailable("cannot listen on {}: {}", listen.address, std::strerror(errno));
  }
  for (int i = 1; i < count; ++i) {
    UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) {
      return Unavailable("cannot listen on {}: {}", listen.address, std::strerror(errno));
    }
    result.sockets.push_back(std::move(copy));
  }
  result.sockets.push_back(std::move(fd));
  return result;
}

}  // namespace

Result<ListenSockets> OpenListenSockets(const ListenAddress& listen, int count) {
  if (listen.address.starts_with(kUnix)) {
    return OpenUnixSockets(listen, count);
  }
  HEADRACE_ASSIGN_OR_RETURN(SocketAddress address, ParseAddress(listen));
  ListenSockets result;
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // Accepted sockets inherit TCP_NODELAY. The first socket shares its port only after it is
    // bound, so that a port which somebody else shares already counts as busy.
    const bool share = listen.reuse_port || i > 0;
    if (!fd || !SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR) ||
        !SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY) ||
        (address.storage.ss_family == AF_INET6 &&
         !SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY)) ||
        (share && !SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT)) ||
        ::bind(fd.get(), address.get(), address.byte_size) != 0 ||
        (!share && count > 1 && !SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT))) {
      return Failure(listen);
    }
    if (i == 0) {
      HEADRACE_ASSIGN_OR_RETURN(result.port, BoundPort(fd.get()));
      address.SetPort(result.port);
    }
    result.sockets.push_back(std::move(fd));
  }
  for (const UniqueFd& fd : result.sockets) {
    if (::listen(fd.get(), kBacklog) != 0) {
      return Failure(listen);
    }
  }
  return result;
}

}  // namespace headrace::net

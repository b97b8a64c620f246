#include "server/torchserve_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/un.h>

#include <array>
#include <memory>

#include "base/checked_math.h"
#include "server/listen_address.h"

namespace headrace::server {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

Result<TorchServeAddress> ParseUnix(std::string_view text) {
  TorchServeAddress address{.text = std::string(text), .host = {}, .socket = {}};
  text.remove_prefix(kUnix.size());
  if (text.starts_with("//")) {
    text.remove_prefix(2);
  }
  if (text.empty() || text.size() >= sizeof(sockaddr_un::sun_path)) {
    return InvalidArgument("the path of a Unix socket has 1 to {} bytes, got '{}'",
                           sizeof(sockaddr_un::sun_path) - 1, address.text);
  }
  address.socket = text;
  return address;
}

struct HostAndPortText {
  std::string_view host, port;
};

// "host", "host:port", "[::1]:port".
HostAndPortText SplitPort(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return {};
    }
    const std::string_view rest = text.substr(end + 1);
    return {text.substr(1, end - 1), rest.starts_with(':') ? rest.substr(1) : rest};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return {text, {}};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

bool IsLoopback(const std::string& numeric) {
  const auto parsed = ParseListenAddresses(numeric);
  return parsed.ok() && parsed->size() == 1 && parsed->front().loopback;
}

bool TorchServeAddress::loopback() const { return host.empty() || IsLoopback(host); }

std::string TorchServeAddress::Shown(std::uint16_t bound_port) const {
  if (host.empty()) {
    return fmt::format("unix:{}", socket);
  }
  const bool ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}", tls ? kHttps : kHttp,
                     HostAndPort({.text = host, .ipv6 = ipv6, .loopback = false}, bound_port));
}

bool TorchServeAddress::SameAs(const TorchServeAddress& other) const {
  return host == other.host && socket == other.socket && port == other.port && tls == other.tls &&
         (!socket.empty() || port != 0);
}

Result<std::string> ResolveHost(const std::string& host) {
  in6_addr storage;
  if (inet_pton(AF_INET, host.c_str(), &storage) == 1 ||
      inet_pton(AF_INET6, host.c_str(), &storage) == 1) {
    return host;
  }
  if (host == "localhost") {
    return std::string("127.0.0.1");
  }
  for (const int family : {AF_INET, AF_INET6}) {
    addrinfo hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
      continue;
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, &freeaddrinfo);
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      return std::string(text.data());
    }
  }
  return InvalidArgument("the host '{}' is not known", host);
}

Result<TorchServeAddress> ParseTorchServeAddress(std::string_view text, DefaultPorts ports) {
  if (text.starts_with(kUnix)) {
    return ParseUnix(text);
  }
  TorchServeAddress address{.text = std::string(text), .host = {}, .socket = {}};
  address.tls = text.starts_with(kHttps);
  if (!address.tls && !text.starts_with(kHttp)) {
    return InvalidArgument("expected http://HOST:PORT, https://HOST:PORT or unix:PATH, got '{}'",
                           text);
  }
  std::string_view rest = text.substr(address.tls ? kHttps.size() : kHttp.size());
  if (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  const HostAndPortText parts = SplitPort(rest);
  if (parts.host.empty() || rest.find('/') != std::string_view::npos) {
    return InvalidArgument("expected http://HOST:PORT without a path, got '{}'", text);
  }
  address.port = address.tls ? ports.https : ports.http;
  if (!parts.port.empty()) {
    const auto port = ParseDecimal<std::uint16_t>(parts.port);
    if (!port) {
      return InvalidArgument("the port of '{}' is no number from 0 to 65535", text);
    }
    address.port = *port;
  }
  HEADRACE_ASSIGN_OR_RETURN(address.host, ResolveHost(std::string(parts.host)));
  return address;
}

}  // namespace headrace::server

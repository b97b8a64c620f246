#include "load/blocking_stream.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace headrace::load {
namespace {

Nanos Now() { return Clock::Real().Now(); }

// Waits for `events`; false at `until`.
bool WaitFor(int fd, short events, Nanos until) {
  for (;;) {
    const Nanos left = until == kNever ? kSecond : until - Now();
    if (left <= 0) {
      return false;
    }
    pollfd entry{fd, events, 0};
    const auto wait_ms = static_cast<int>(std::min<Nanos>(left / kMillisecond + 1, 60'000));
    if (poll(&entry, 1, wait_ms) > 0) {
      return true;
    }
  }
}

// nullptr, or the reason.
const char* ConnectTo(int fd, const sockaddr* address, socklen_t size, Nanos until) {
  if (connect(fd, address, size) == 0) {
    return nullptr;
  }
  if (errno != EINPROGRESS) {
    return std::strerror(errno);
  }
  if (!WaitFor(fd, POLLOUT, until)) {
    return "no answer in time";
  }
  int error = 0;
  socklen_t error_size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
  return error == 0 ? nullptr : std::strerror(error);
}

UniqueFd NewSocket(int family) {
  return UniqueFd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

Result<UniqueFd> ConnectUnix(const std::string& path, Nanos until) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument("the path of the Unix socket is longer than {} bytes",
                           sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd = NewSocket(AF_UNIX);
  if (const char* reason = ConnectTo(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                                     sizeof(address), until)) {
    return Unavailable("unix:{}: {}", path, reason);
  }
  return fd;
}

Result<UniqueFd> ConnectTcp(const TargetSpec& target, Nanos until) {
  std::string host = target.host;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (error != 0) {
    return Unavailable("{}: {}", BlockingStream::AddressOf(target), gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, &freeaddrinfo);
  std::string reason = "it has no address";
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    UniqueFd fd = NewSocket(at->ai_family);
    const char* failure = ConnectTo(fd.get(), at->ai_addr, at->ai_addrlen, until);
    if (failure == nullptr) {
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return fd;
    }
    reason = failure;
  }
  return Unavailable("{}: {}", BlockingStream::AddressOf(target), reason);
}

std::string TlsReason() {
  char text[256] = "the connection ended";
  if (const unsigned long error = ERR_get_error()) {
    ERR_error_string_n(error, text, sizeof(text));
  }
  ERR_clear_error();
  return text;
}

}  // namespace

struct BlockingStream::Tls {
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, void (*)(SSL*)> session{nullptr, &SSL_free};
};

BlockingStream::BlockingStream(UniqueFd fd, std::string address)
    : fd_(std::move(fd)), address_(std::move(address)) {}
BlockingStream::BlockingStream(BlockingStream&&) noexcept = default;
BlockingStream& BlockingStream::operator=(BlockingStream&&) noexcept = default;
BlockingStream::~BlockingStream() = default;

std::string BlockingStream::AddressOf(const TargetSpec& target) {
  return target.unix_socket.empty() ? fmt::format("{}:{}", target.host, target.port)
                                    : "unix:" + target.unix_socket;
}

Result<BlockingStream> BlockingStream::Connect(const TargetSpec& target,
                                               std::string_view protocol) {
  const Nanos until = Now() + target.connect_timeout;
  HEADRACE_ASSIGN_OR_RETURN(UniqueFd fd, target.unix_socket.empty()
                                             ? ConnectTcp(target, until)
                                             : ConnectUnix(target.unix_socket, until));
  BlockingStream stream(std::move(fd), AddressOf(target));
  if (target.tls.enabled) {
    HEADRACE_RETURN_IF_ERROR(stream.ShakeHands(target, protocol, until));
  }
  return stream;
}

Status BlockingStream::ShakeHands(const TargetSpec& target, std::string_view protocol,
                                  Nanos until) {
  tls_ = std::make_unique<Tls>();
  tls_->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = tls_->context.get();
  const TlsFiles& files = target.tls;
  if (files.verify_peer) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const int loaded = files.ca_file.empty()
                           ? SSL_CTX_set_default_verify_paths(context)
                           : SSL_CTX_load_verify_locations(context, files.ca_file.c_str(), nullptr);
    if (loaded != 1) {
      return InvalidArgument("{}: {}", files.ca_file, TlsReason());
    }
  }
  if (!files.certificate_file.empty() &&
      SSL_CTX_use_certificate_chain_file(context, files.certificate_file.c_str()) != 1) {
    return InvalidArgument("{}: {}", files.certificate_file, TlsReason());
  }
  if (!files.key_file.empty() &&
      SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return InvalidArgument("{}: {}", files.key_file, TlsReason());
  }
  tls_->session.reset(SSL_new(context));
  SSL* const session = tls_->session.get();
  std::string alpn(1, static_cast<char>(protocol.size()));
  alpn += protocol;
  SSL_set_alpn_protos(session, reinterpret_cast<const unsigned char*>(alpn.data()),
                      static_cast<unsigned>(alpn.size()));
  SSL_set_tlsext_host_name(session, target.host.c_str());
  if (files.verify_peer && files.verify_host) {
    SSL_set1_host(session, target.host.c_str());
  }
  SSL_set_fd(session, fd_.get());
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(session);
    if (result == 1) {
      return OkStatus();
    }
    const int error = SSL_get_error(session, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return Unavailable("{}: TLS: {}", address_, TlsReason());
    }
    HEADRACE_RETURN_IF_ERROR(Wait(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until));
  }
}

Status BlockingStream::Wait(short events, Nanos until) {
  return WaitFor(fd_.get(), events, until) ? OkStatus()
                                           : DeadlineExceeded("{}: no answer in time", address_);
}

Status BlockingStream::Write(std::string_view bytes, Nanos until) {
  while (!bytes.empty()) {
    ssize_t count = 0;
    short wait = 0;
    if (tls_ == nullptr) {
      count = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      wait = count < 0 && (errno == EAGAIN || errno == EINTR) ? POLLOUT : 0;
    } else {
      ERR_clear_error();
      const int size = static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20));
      count = SSL_write(tls_->session.get(), bytes.data(), size);
      const int error = count > 0 ? 0 : SSL_get_error(tls_->session.get(), static_cast<int>(count));
      wait = error == SSL_ERROR_WANT_READ ? POLLIN : error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
    }
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (wait != 0) {
      HEADRACE_RETURN_IF_ERROR(Wait(wait, until));
    } else {
      return Unavailable("{}: the connection ended while a request was sent", address_);
    }
  }
  return OkStatus();
}

Result<std::size_t> BlockingStream::Read(std::span<char> into, Nanos until) {
  for (;;) {
    ssize_t count = 0;
    short wait = 0;
    if (tls_ == nullptr) {
      count = recv(fd_.get(), into.data(), into.size(), 0);
      wait = count < 0 && (errno == EAGAIN || errno == EINTR) ? POLLIN : 0;
    } else {
      ERR_clear_error();
      const int size = static_cast<int>(std::min<std::size_t>(into.size(), 1 << 20));
      count = SSL_read(tls_->session.get(), into.data(), size);
      const int error = count > 0 ? 0 : SSL_get_error(tls_->session.get(), static_cast<int>(count));
      wait = error == SSL_ERROR_WANT_READ ? POLLIN : error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
    }
    if (count > 0) {
      return static_cast<std::size_t>(count);
    }
    if (wait == 0) {
      return std::size_t{0};  // an end, in order or not: nothing more comes
    }
    HEADRACE_RETURN_IF_ERROR(Wait(wait, until));
  }
}

}  // namespace headrace::load

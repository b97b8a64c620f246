#include "load/blocking_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "load/socket_address.h"
#include "load/tls_options.h"
#include "net/tls_session.h"

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

// To one address; the failure is the reason alone.
Result<UniqueFd> ConnectTo(const SocketAddress& address, Nanos until) {
  HEADRACE_ASSIGN_OR_RETURN(UniqueFd fd, StartConnect(address));
  if (!WaitFor(fd.get(), POLLOUT, until)) {
    return Unavailable("no answer in time");
  }
  int error = 0;
  socklen_t error_size = sizeof(error);
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) {
    return Unavailable("{}", std::strerror(error));
  }
  return fd;
}

Result<UniqueFd> ConnectToAny(const TargetSpec& target, Nanos until) {
  HEADRACE_ASSIGN_OR_RETURN(const std::vector<SocketAddress> addresses, ResolveTarget(target));
  std::string reason = "it has no address";
  for (const SocketAddress& address : addresses) {
    Result<UniqueFd> fd = ConnectTo(address, until);
    if (fd.ok()) {
      return fd;
    }
    reason = fd.status().message();
  }
  return Unavailable("{}: {}", AddressText(target), reason);
}

Result<std::unique_ptr<net::TlsSession>> ShakeHands(const TargetSpec& target,
                                                    std::string_view protocol, int fd,
                                                    Nanos until) {
  net::TlsClientOptions options = TlsOptionsOf(target.tls);
  options.server_name = target.host;
  options.protocols = {std::string(protocol)};
  HEADRACE_ASSIGN_OR_RETURN(const auto context, net::TlsClientContext::Create(std::move(options)));
  std::unique_ptr<net::TlsSession> session = context->NewSession(fd);
  if (session == nullptr) {
    return ResourceExhausted("no memory for TLS to {}", AddressText(target));
  }
  for (;;) {
    switch (session->ContinueHandshake()) {
      case net::TlsSession::Handshake::kDone:
        return session;
      case net::TlsSession::Handshake::kFailed:
        return Unavailable("{}: TLS: {}", AddressText(target), session->failure());
      case net::TlsSession::Handshake::kWaits:
        // A client has little to say: its socket takes it, and what it waits for is the server.
        if (!WaitFor(fd, POLLIN, until)) {
          return DeadlineExceeded("{}: no answer in time", AddressText(target));
        }
    }
  }
}

// What a failed call of the stream's calls for.
bool IsToBeTriedAgain() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

BlockingStream::BlockingStream(net::ByteStream stream, std::string address)
    : stream_(std::move(stream)), address_(std::move(address)) {}

Result<BlockingStream> BlockingStream::Connect(const TargetSpec& target,
                                               std::string_view protocol) {
  const Nanos until = Now() + target.connect_timeout;
  HEADRACE_ASSIGN_OR_RETURN(UniqueFd fd, ConnectToAny(target, until));
  if (!target.tls.enabled) {
    return BlockingStream(net::ByteStream(std::move(fd)), AddressText(target));
  }
  HEADRACE_ASSIGN_OR_RETURN(auto session, ShakeHands(target, protocol, fd.get(), until));
  return BlockingStream(net::ByteStream(std::move(fd), std::move(session)), AddressText(target));
}

Status BlockingStream::Wait(short events, Nanos until) {
  return WaitFor(stream_.fd(), events, until) ? OkStatus()
                                              : DeadlineExceeded("{}: no answer in time", address_);
}

Status BlockingStream::Write(std::string_view bytes, Nanos until) {
  while (!bytes.empty()) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    const ssize_t count = stream_.Send({&piece, 1});
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (count < 0 && IsToBeTriedAgain()) {
      HEADRACE_RETURN_IF_ERROR(Wait(POLLOUT, until));
    } else {
      return Unavailable("{}: the connection ended while a request was sent", address_);
    }
  }
  return OkStatus();
}

Result<std::size_t> BlockingStream::Read(std::span<char> into, Nanos until) {
  for (;;) {
    const ssize_t count = stream_.Receive(into.data(), into.size());
    if (count > 0) {
      return static_cast<std::size_t>(count);
    }
    if (count == 0 || !IsToBeTriedAgain()) {
      return std::size_t{0};  // an end, in order or not: nothing more comes
    }
    HEADRACE_RETURN_IF_ERROR(Wait(POLLIN, until));
  }
}

}  // namespace headrace::load

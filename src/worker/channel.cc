#include "worker/channel.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace headrace::worker {
namespace {

bool IsGone(int error) { return error == EPIPE || error == ECONNRESET || error == ENOTCONN; }

Status Gone() { return Unavailable("the worker closed its channel"); }

// Room for a few of the largest packets, so that one never waits for lack of it.
constexpr int kSocketByteSize = 512 * 1024;

}  // namespace

Result<Channel::Pair> Channel::CreatePair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Unavailable("no socket pair for a worker: {}", std::strerror(errno));
  }
  for (const int end : ends) {
    // A smaller buffer serves as well, only later.
    (void)setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kSocketByteSize, sizeof(kSocketByteSize));
  }
  return Pair{.ours = Channel(UniqueFd(ends[0])), .theirs = UniqueFd(ends[1])};
}

Status Channel::SetTick(Nanos tick) {
  const timeval limit = {.tv_sec = tick / kSecond, .tv_usec = tick % kSecond / kMicrosecond};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    if (setsockopt(fd(), SOL_SOCKET, option, &limit, sizeof(limit)) != 0) {
      return Internal("no time limit for a worker's channel: {}", std::strerror(errno));
    }
  }
  return OkStatus();
}

Result<bool> Channel::Send(const Head& head, std::string_view body) { return Send(head, body, 0); }

Result<bool> Channel::TrySend(const Head& head, std::string_view body) {
  return Send(head, body, MSG_DONTWAIT);
}

Result<bool> Channel::Send(const Head& head, std::string_view body, int flags) {
  std::array<std::byte, kHeadByteSize> head_bytes;
  EncodeHead(head, head_bytes.data());
  std::array<iovec, 2> pieces = {
      iovec{head_bytes.data(), head_bytes.size()},
      iovec{const_cast<char*>(body.data()), body.size()}};  // NOLINT: sendmsg only reads
  msghdr message = {};
  message.msg_iov = pieces.data();
  message.msg_iovlen = body.empty() ? 1 : 2;
  for (;;) {
    if (sendmsg(fd(), &message, flags | MSG_NOSIGNAL) >= 0) {
      return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    }
    if (errno == ECONNRESET) {
      left_unread_ = true;  // see Receive: it is told once, to whoever comes first
    }
    if (IsGone(errno)) {
      return Gone();
    }
    if (errno != EINTR) {
      return Internal("a packet of {} bytes cannot be sent to the worker: {}",
                      head_bytes.size() + body.size(), std::strerror(errno));
    }
  }
}

Result<std::optional<std::size_t>> Channel::Receive(PacketBuffer& buffer) {
  return Receive(buffer, 0);
}

Result<std::optional<std::size_t>> Channel::TryReceive(PacketBuffer& buffer) {
  return Receive(buffer, MSG_DONTWAIT);
}

Result<std::optional<std::size_t>> Channel::Receive(PacketBuffer& buffer, int flags) {
  const std::span<std::byte> room = buffer.room();
  for (;;) {
    const ssize_t size = recv(fd(), room.data(), room.size(), flags);
    if (size > 0) {
      if (static_cast<std::size_t>(size) == room.size()) {
        return InvalidArgument("a packet of more than {} bytes", room.size() - 1);
      }
      return std::optional<std::size_t>(static_cast<std::size_t>(size));
    }
    if (size == 0) {
      return Gone();
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::optional<std::size_t>();
    }
    if (errno == ECONNRESET) {
      // How the kernel says it for sockets of this family (unix(7) does not): once, before it gives
      // what the other side had sent.
      left_unread_ = true;
      continue;
    }
    if (IsGone(errno)) {
      return Gone();
    }
    if (errno != EINTR) {
      return Internal("no packet can be received from the worker: {}", std::strerror(errno));
    }
  }
}

void Channel::Shutdown() { (void)shutdown(fd(), SHUT_RDWR); }

}  // namespace headrace::worker

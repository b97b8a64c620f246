#include "worker/descriptor_passing.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace headrace::worker {
namespace {

Status Failure(int error) {
  if (error == EPIPE || error == ECONNRESET || error == ENOTCONN) {
    return Unavailable("the worker closed its channel");
  }
  return Internal("a packet with descriptors cannot cross: {}", std::strerror(error));
}

}  // namespace

Result<bool> SendWithDescriptors(Channel& channel, const Head& head, std::string_view body,
                                 std::span<const int> descriptors) {
  if (descriptors.size() > kPassedDescriptorCountMax) {
    return InvalidArgument("{} descriptors in one packet", descriptors.size());
  }
  std::array<std::byte, kHeadByteSize> head_bytes;
  EncodeHead(head, head_bytes.data());
  std::array<iovec, 2> pieces = {
      iovec{head_bytes.data(), head_bytes.size()},
      iovec{const_cast<char*>(body.data()), body.size()}};  // NOLINT: sendmsg only reads
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kPassedDescriptorCountMax * sizeof(int))> control{};
  msghdr message = {};
  message.msg_iov = pieces.data();
  message.msg_iovlen = body.empty() ? 1 : 2;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  for (;;) {
    if (sendmsg(channel.fd(), &message, MSG_NOSIGNAL) >= 0) {
      return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    }
    if (errno != EINTR) {
      return Failure(errno);
    }
  }
}

Status AskForSenders(Channel& channel) {
  const int on = 1;
  if (setsockopt(channel.fd(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return Internal("a worker's channel does not name senders: {}", std::strerror(errno));
  }
  return OkStatus();
}

Result<std::optional<PacketFrom>> ReceiveWithSender(Channel& channel, PacketBuffer& buffer) {
  const std::span<std::byte> room = buffer.room();
  iovec piece = {room.data(), room.size()};
  // No room for anything but the sender: what else comes is closed by the kernel.
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
  for (;;) {
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(channel.fd(), &message, MSG_CMSG_CLOEXEC);
    if (size > 0) {
      if (static_cast<std::size_t>(size) == room.size()) {
        return InvalidArgument("a packet of more than {} bytes", room.size() - 1);
      }
      PacketFrom packet{.byte_size = static_cast<std::size_t>(size)};
      const cmsghdr* const said = CMSG_FIRSTHDR(&message);
      if (said != nullptr && said->cmsg_level == SOL_SOCKET && said->cmsg_type == SCM_CREDENTIALS &&
          said->cmsg_len == CMSG_LEN(sizeof(ucred))) {
        ucred sender;
        std::memcpy(&sender, CMSG_DATA(said), sizeof(sender));
        packet.sender = sender.pid;
      }
      return std::optional(packet);
    }
    if (size == 0) {
      return Failure(EPIPE);
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::optional<PacketFrom>();
    }
    // ECONNRESET is told once, before what the other side had sent (see Channel::Receive).
    if (errno != EINTR && errno != ECONNRESET) {
      return Failure(errno);
    }
  }
}

}  // namespace headrace::worker

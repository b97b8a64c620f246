#include "net/byte_stream.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "net/tls_session.h"

namespace headrace::net {

ByteStream::ByteStream(UniqueFd fd) : fd_(std::move(fd)) {}
ByteStream::ByteStream(UniqueFd fd, std::unique_ptr<TlsSession> tls)
    : fd_(std::move(fd)), tls_(std::move(tls)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

ssize_t ByteStream::Receive(void* data, std::size_t byte_size) {
  return tls_ == nullptr ? ::recv(fd_.get(), data, byte_size, 0) : tls_->Receive(data, byte_size);
}

ssize_t ByteStream::Receive(std::span<const iovec> pieces) {
  if (tls_ != nullptr) {
    return tls_->Receive(pieces.front().iov_base, pieces.front().iov_len);
  }
  if (pieces.size() == 1) {
    return ::recv(fd_.get(), pieces.front().iov_base, pieces.front().iov_len, 0);
  }
  return ::readv(fd_.get(), pieces.data(), static_cast<int>(pieces.size()));
}

ssize_t ByteStream::Send(std::span<const iovec> pieces) {
  if (tls_ != nullptr) {
    return tls_->Send(pieces);
  }
  if (pieces.size() == 1) {
    return ::send(fd_.get(), pieces.front().iov_base, pieces.front().iov_len, MSG_NOSIGNAL);
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  return ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
}

bool ByteStream::SendWhole(std::string_view text) {
  const std::array piece{iovec{const_cast<char*>(text.data()), text.size()}};
  return Send(piece) == static_cast<ssize_t>(text.size());
}

void ByteStream::ShutdownWrite() {
  if (tls_ != nullptr) {
    tls_->SendCloseNotify();
  }
  ::shutdown(fd_.get(), SHUT_WR);
}

ssize_t ByteStream::Drop(std::size_t byte_size_max) {
  // MSG_TRUNC: the kernel drops the bytes without copying them.
  return ::recv(fd_.get(), nullptr, byte_size_max, MSG_TRUNC);
}

std::uint64_t ByteStream::UnacknowledgedByteSize() const {
  int byte_size = 0;
  return ::ioctl(fd_.get(), SIOCOUTQ, &byte_size) == 0 && byte_size > 0
             ? static_cast<std::uint64_t>(byte_size)
             : 0;
}

void ByteStream::Close() {
  tls_.reset();
  fd_.Reset();
}

}  // namespace headrace::net

// The bytes of one connected socket, plain or through TLS. Non-blocking.
#ifndef HEADRACE_NET_BYTE_STREAM_H_
#define HEADRACE_NET_BYTE_STREAM_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/unique_fd.h"

namespace headrace::net {

class TlsSession;

// Results are those of recv(2) and sendmsg(2): bytes, 0 at the peer's end, or -1 with errno: EAGAIN
// when there is nothing now, EINTR, anything else when the connection is broken. Not thread-safe.
class ByteStream {
 public:
  explicit ByteStream(UniqueFd fd);
  // `tls` has finished its handshake on `fd`.
  ByteStream(UniqueFd fd, std::unique_ptr<TlsSession> tls);
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;
  ~ByteStream();

  int fd() const { return fd_.get(); }
  bool is_tls() const { return tls_ != nullptr; }
  ssize_t Receive(void* data, std::size_t byte_size);
  // Into the pieces in order; through TLS only the first may be filled.
  ssize_t Receive(std::span<const iovec> pieces);
  // What the kernel said of a read that brought `count` of `wanted` bytes: true when it may hold
  // more. TLS hands out record by record and has to be asked until EAGAIN.
  bool MayHoldMore(std::size_t count, std::size_t wanted) const {
    return count == wanted || is_tls();
  }
  // After EAGAIN the same bytes have to be offered again, at least as many.
  ssize_t Send(std::span<const iovec> pieces);
  // True when the socket took all of it.
  bool SendWhole(std::string_view text);
  // Ends the sending direction (through TLS with close_notify).
  void ShutdownWrite();
  // Drops up to `byte_size_max` received bytes unread; TLS bytes as they are on the wire.
  ssize_t Drop(std::size_t byte_size_max);
  // What the peer has not yet acknowledged of all that was sent.
  std::uint64_t UnacknowledgedByteSize() const;
  void Close();

 private:
  UniqueFd fd_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_BYTE_STREAM_H_

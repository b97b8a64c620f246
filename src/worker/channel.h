// Packets over one socket of a SOCK_SEQPACKET pair.
#ifndef HEADRACE_WORKER_CHANNEL_H_
#define HEADRACE_WORKER_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "worker/wire.h"

namespace headrace::worker {

// Memory for one packet that was received, and room for the JSON reader behind it.
class PacketBuffer {
 public:
  PacketBuffer() : bytes_(kHeadByteSize + kPacketBodyByteSizeMax + 1 + kPadding) {}
  std::span<std::byte> room() { return {bytes_.data(), bytes_.size() - kPadding}; }
  std::span<const std::byte> first(std::size_t size) const { return {bytes_.data(), size}; }

 private:
  static constexpr std::size_t kPadding = 64;
  std::vector<std::byte> bytes_;
};

// One thread receives and one sends at a time; Shutdown from any.
class Channel {
 public:
  Channel() = default;
  explicit Channel(UniqueFd socket) : socket_(std::move(socket)) {}

  struct Pair;
  // Connected, close-on-exec.
  static Result<Pair> CreatePair();

  int fd() const { return socket_.get(); }
  // How long Receive and Send wait in the kernel before they say that nothing came. To be called
  // before they are; costs no system call afterwards.
  Status SetTick(Nanos tick);

  // One packet: head and body. Blocks for a tick while the socket is full; false if it still is.
  // UNAVAILABLE when the other side has gone.
  Result<bool> Send(const Head& head, std::string_view body);
  // The same without blocking.
  Result<bool> TrySend(const Head& head, std::string_view body);

  // The size of the packet that was put into `buffer`. Nothing after a tick without one.
  // UNAVAILABLE when the other side has gone. INVALID_ARGUMENT for a packet that is longer than any
  // may be.
  Result<std::optional<std::size_t>> Receive(PacketBuffer& buffer);
  Result<std::optional<std::size_t>> TryReceive(PacketBuffer& buffer);

  // After a failed Send or Receive: the other side has gone without having read all that was sent
  // to it.
  bool left_unread() const { return left_unread_; }

  // Both directions end: whoever waits here or there is told.
  void Shutdown();

 private:
  Result<bool> Send(const Head& head, std::string_view body, int flags);
  Result<std::optional<std::size_t>> Receive(PacketBuffer& buffer, int flags);

  UniqueFd socket_;
  bool left_unread_ = false;
};

struct Channel::Pair {
  Channel ours;
  UniqueFd theirs;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_CHANNEL_H_

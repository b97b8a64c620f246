// A connection for calls that may block: TCP or a Unix socket, with TLS where the target has it.
#ifndef HEADRACE_LOAD_BLOCKING_STREAM_H_
#define HEADRACE_LOAD_BLOCKING_STREAM_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "load/target.h"

namespace headrace::load {

// One thread at a time.
class BlockingStream {
 public:
  // Connects within target.connect_timeout, and shakes hands with ALPN `protocol` ("h2").
  // UNAVAILABLE names the address and the reason.
  static Result<BlockingStream> Connect(const TargetSpec& target, std::string_view protocol);
  BlockingStream(BlockingStream&&) noexcept;
  BlockingStream& operator=(BlockingStream&&) noexcept;
  ~BlockingStream();

  // All of `bytes`. DEADLINE_EXCEEDED at `until` (CLOCK_MONOTONIC), UNAVAILABLE when the peer is
  // gone.
  Status Write(std::string_view bytes, Nanos until);
  // At least one byte, else 0 at the end of the stream.
  Result<std::size_t> Read(std::span<char> into, Nanos until);

  // "127.0.0.1:8001", "unix:/path".
  static std::string AddressOf(const TargetSpec& target);

 private:
  struct Tls;
  BlockingStream(UniqueFd fd, std::string address);
  Status Wait(short events, Nanos until);
  Status ShakeHands(const TargetSpec& target, std::string_view protocol, Nanos until);

  UniqueFd fd_;
  std::string address_;
  std::unique_ptr<Tls> tls_;  // null: plain
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_BLOCKING_STREAM_H_

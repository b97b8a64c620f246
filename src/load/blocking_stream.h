// A connection for calls that may block: TCP or a Unix socket, with TLS where the target has it.
#ifndef HEADRACE_LOAD_BLOCKING_STREAM_H_
#define HEADRACE_LOAD_BLOCKING_STREAM_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "load/target.h"
#include "net/byte_stream.h"

namespace headrace::load {

// One thread at a time.
class BlockingStream {
 public:
  // Connects within target.connect_timeout, and shakes hands with ALPN `protocol` ("h2").
  // UNAVAILABLE names the address and the reason.
  static Result<BlockingStream> Connect(const TargetSpec& target, std::string_view protocol);

  // All of `bytes`. DEADLINE_EXCEEDED at `until` (CLOCK_MONOTONIC), UNAVAILABLE when the peer is
  // gone.
  Status Write(std::string_view bytes, Nanos until);
  // At least one byte, else 0 at the end of the stream.
  Result<std::size_t> Read(std::span<char> into, Nanos until);

 private:
  BlockingStream(net::ByteStream stream, std::string address);
  Status Wait(short events, Nanos until);

  net::ByteStream stream_;
  std::string address_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_BLOCKING_STREAM_H_

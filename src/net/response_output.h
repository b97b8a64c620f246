// Writes one response to a socket, now or in pieces as the peer takes it.
#ifndef HEADRACE_NET_RESPONSE_OUTPUT_H_
#define HEADRACE_NET_RESPONSE_OUTPUT_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/byte_stream.h"
#include "net/http.h"
#include "tensor/buffer.h"

namespace headrace::net {

// What goes out before the status is known when a peer has closed its half (see
// HttpConnection::ProbePeer).
inline constexpr std::string_view kStatusLinePrefix = "HTTP/1.1 ";

struct ResponseFraming {
  bool head_only = false;    // answer to HEAD
  bool close = false;        // say "Connection: close"
  bool http_1_0 = false;     // say "Connection: keep-alive" when it stays open
  bool prefix_sent = false;  // kStatusLinePrefix is out already
  bool streamed = false;     // no length: chunked, or with http_1_0 up to the close
};

// Appends status line and header lines.
void AppendResponseHead(const HttpResponse& response, const ResponseFraming& framing,
                        std::string& out);

// Holds what the socket did not take. One response at a time. Not thread-safe.
class ResponseOutput {
 public:
  enum class Outcome : std::uint8_t { kDone, kBlocked, kFailed };
  struct Progress {
    Outcome outcome;
    std::uint64_t byte_size;  // written by this call
  };

  // Writes as much as `stream` takes: one system call when it takes all. Small bodies are copied
  // behind the head, which is cheaper than a list of two. `scratch` holds the head during the call.
  Progress Send(ByteStream& stream, HttpResponse response, const ResponseFraming& framing,
                std::string& scratch);
  // Goes on after kBlocked.
  Progress Continue(ByteStream& stream);
  bool pending() const { return !pending_.empty(); }
  void Reset();

 private:
  Progress WriteAll(ByteStream& stream, std::string_view head);
  ssize_t WriteOnce(ByteStream& stream, std::string_view head, std::size_t& offered) const;
  void Forget(std::size_t written);

  std::vector<Buffer> pending_;
  std::size_t index_ = 0;   // first buffer not wholly written
  std::size_t offset_ = 0;  // bytes of it that are written
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_RESPONSE_OUTPUT_H_

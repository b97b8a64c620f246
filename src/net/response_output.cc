#include "net/response_output.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace headrace::net {
namespace {

constexpr std::size_t kCopiedBodyByteSizeMax = 2048;
constexpr std::size_t kVectorCountMax = 64;

void AppendNumber(std::uint64_t number, std::string& out) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

std::uint64_t BodyByteSize(const HttpResponse& response) {
  std::uint64_t total = 0;
  for (const Buffer& buffer : response.body) {
    total += buffer.size();
  }
  return total;
}

// Repeats `call` while signals interrupt it. Bytes written, 0 when the socket takes none now, -1
// when it is broken.
template <typename Call>
ssize_t WriteSome(Call call) {
  while (true) {
    const ssize_t written = call();
    if (written >= 0) {
      return written;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return 0;
    }
    if (errno != EINTR) {
      return -1;
    }
  }
}

}  // namespace

void AppendResponseHead(const HttpResponse& response, const ResponseFraming& framing,
                        std::string& out) {
  if (!framing.prefix_sent) {
    out.append(kStatusLinePrefix);
  }
  if (response.status == 200 && response.reason.empty()) {
    out.append("200 OK\r\n");
  } else {
    AppendNumber(static_cast<std::uint64_t>(response.status), out);
    out.push_back(' ');
    out.append(response.reason.empty() ? HttpReason(response.status) : response.reason)
        .append("\r\n");
  }
  if (!response.content_type.empty()) {
    out.append("Content-Type: ").append(response.content_type).append("\r\n");
  }
  out.append(response.extra_headers);
  if (framing.close) {
    out.append("Connection: close\r\n");
  } else if (framing.http_1_0) {
    out.append("Connection: keep-alive\r\n");
  }
  if (framing.streamed) {
    out.append(framing.http_1_0 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n");
  } else if (response.status != 204 && response.status != 304) {
    out.append("Content-Length: ");
    AppendNumber(BodyByteSize(response), out);
    out.append("\r\n\r\n");
  } else {
    out.append("\r\n");
  }
}

ResponseOutput::Progress ResponseOutput::Send(ByteStream& stream, HttpResponse response,
                                              const ResponseFraming& framing,
                                              std::string& scratch) {
  scratch.clear();
  AppendResponseHead(response, framing, scratch);
  Reset();
  if (!framing.head_only && response.status != 204 && response.status != 304) {
    if (BodyByteSize(response) <= kCopiedBodyByteSizeMax) {
      for (const Buffer& buffer : response.body) {
        scratch.append(buffer.view());
      }
    } else {
      pending_ = std::move(response.body);
    }
  }
  return WriteAll(stream, scratch);
}

ResponseOutput::Progress ResponseOutput::Continue(ByteStream& stream) {
  return WriteAll(stream, {});
}

void ResponseOutput::Reset() {
  if (!pending_.empty()) {
    pending_ = {};
  }
  index_ = offset_ = 0;
}

// One call with `head` and as many of the pending buffers as fit; `offered` is their sum.
ssize_t ResponseOutput::WriteOnce(ByteStream& stream, std::string_view head,
                                  std::size_t& offered) const {
  std::array<iovec, kVectorCountMax> vectors;
  std::size_t count = 0;
  offered = 0;
  const auto add = [&](const void* data, std::size_t byte_size) {
    vectors[count++] = {const_cast<void*>(data), byte_size};
    offered += byte_size;
  };
  if (!head.empty()) {
    add(head.data(), head.size());
  }
  for (std::size_t i = index_; i < pending_.size() && count < kVectorCountMax; ++i) {
    const std::size_t skip = i == index_ ? offset_ : 0;
    add(pending_[i].data() + skip, pending_[i].size() - skip);
  }
  return WriteSome([&] { return stream.Send({vectors.data(), count}); });
}

void ResponseOutput::Forget(std::size_t written) {
  while (index_ < pending_.size() && written >= pending_[index_].size() - offset_) {
    written -= pending_[index_].size() - offset_;
    pending_[index_++] = Buffer();
    offset_ = 0;
  }
  offset_ += written;
}

// Writes `head` and then the pending buffers. What the socket does not take of the head is put in
// front of them.
ResponseOutput::Progress ResponseOutput::WriteAll(ByteStream& stream, std::string_view head) {
  Progress progress{Outcome::kDone, 0};
  while (!head.empty() || index_ < pending_.size()) {
    std::size_t offered = 0;
    const ssize_t count = WriteOnce(stream, head, offered);
    if (count < 0) {
      Reset();
      return {Outcome::kFailed, progress.byte_size};
    }
    const auto written = static_cast<std::size_t>(count);
    progress.byte_size += written;
    const std::size_t of_head = std::min(written, head.size());
    head.remove_prefix(of_head);
    Forget(written - of_head);
    if (written < offered) {
      if (!head.empty()) {
        pending_.insert(pending_.begin(), Buffer::CopyOf(head));
      }
      progress.outcome = Outcome::kBlocked;
      return progress;
    }
  }
  Reset();
  return progress;
}

}  // namespace headrace::net

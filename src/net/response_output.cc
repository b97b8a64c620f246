#include "net/response_output.h"

#include <sys/socket.h>
#include <sys/uio.h>

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

// Bytes written, 0 when the socket takes none now, -1 when it is broken.
ssize_t WriteSome(int fd, const iovec* vectors, std::size_t count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors);
  message.msg_iovlen = count;
  while (true) {
    const ssize_t written = count == 1
                                ? ::send(fd, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL)
                                : ::sendmsg(fd, &message, MSG_NOSIGNAL);
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
  if (response.status == 200) {
    out.append("200 OK\r\n");
  } else {
    AppendNumber(static_cast<std::uint64_t>(response.status), out);
    out.push_back(' ');
    out.append(HttpReason(response.status)).append("\r\n");
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
  if (response.status != 204 && response.status != 304) {
    out.append("Content-Length: ");
    AppendNumber(BodyByteSize(response), out);
    out.append("\r\n\r\n");
  } else {
    out.append("\r\n");
  }
}

ResponseOutput::Progress ResponseOutput::Send(int fd, HttpResponse response,
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
  return WriteAll(fd, scratch);
}

ResponseOutput::Progress ResponseOutput::Continue(int fd) { return WriteAll(fd, {}); }

void ResponseOutput::Reset() {
  pending_ = {};
  index_ = offset_ = 0;
}

// Writes `head` and then the pending buffers. What the socket does not take of the head is put in
// front of them.
ResponseOutput::Progress ResponseOutput::WriteAll(int fd, std::string_view head) {
  Progress progress{Outcome::kDone, 0};
  while (!head.empty() || index_ < pending_.size()) {
    std::array<iovec, kVectorCountMax> vectors;
    std::size_t count = 0;
    std::size_t total = 0;
    const auto add = [&](const void* data, std::size_t byte_size) {
      vectors[count++] = {const_cast<void*>(data), byte_size};
      total += byte_size;
    };
    if (!head.empty()) {
      add(head.data(), head.size());
    }
    for (std::size_t i = index_; i < pending_.size() && count < kVectorCountMax; ++i) {
      const std::size_t skip = i == index_ ? offset_ : 0;
      add(pending_[i].data() + skip, pending_[i].size() - skip);
    }
    const ssize_t written = WriteSome(fd, vectors.data(), count);
    if (written < 0) {
      Reset();
      return {Outcome::kFailed, progress.byte_size};
    }
    progress.byte_size += static_cast<std::uint64_t>(written);
    std::size_t left = static_cast<std::size_t>(written);
    const std::size_t of_head = std::min(left, head.size());
    head.remove_prefix(of_head);
    left -= of_head;
    while (index_ < pending_.size() && left >= pending_[index_].size() - offset_) {
      left -= pending_[index_].size() - offset_;
      pending_[index_++] = Buffer();
      offset_ = 0;
    }
    offset_ += left;
    if (static_cast<std::size_t>(written) < total) {
      if (!head.empty()) {
        pending_.insert(pending_.begin() + static_cast<std::ptrdiff_t>(index_),
                        Buffer::CopyOf(head));
      }
      progress.outcome = Outcome::kBlocked;
      return progress;
    }
  }
  Reset();
  return progress;
}

}  // namespace headrace::net

// A blocking TCP client for tests: sends exactly the bytes it is given and reads what comes.
#ifndef HEADRACE_NET_TESTING_RAW_CLIENT_H_
#define HEADRACE_NET_TESTING_RAW_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/unique_fd.h"

namespace headrace::net {

struct RawResponse {
  int status = 0;  // 0: the connection ended first
  std::string head;
  std::string body;
  bool Has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

// Reads give up after 20 s, so that a test that waits in vain fails instead of hanging. One thread
// at a time.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
      setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const timeval limit{20, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }
  // False when the peer no longer takes bytes.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) {
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  void HalfClose() { ::shutdown(fd_.get(), SHUT_WR); }
  void Close() { fd_.Reset(); }
  // Closes with a reset.
  void Reset() {
    const linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    fd_.Reset();
  }

  // The next whole response; 100 Continue counts as one.
  RawResponse ReadResponse(bool head_only = false) {
    RawResponse response;
    std::size_t end;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore()) {
        return response;
      }
    }
    response.head = input_.substr(0, end + 4);
    input_.erase(0, end + 4);
    std::from_chars(response.head.data() + 9, response.head.data() + 12, response.status);
    const std::size_t body_size = head_only ? 0 : ContentLength(response.head);
    while (input_.size() < body_size) {
      if (!ReadMore()) {
        response.status = 0;
        return response;
      }
    }
    response.body = input_.substr(0, body_size);
    input_.erase(0, body_size);
    return response;
  }
  // True when the peer has closed and nothing is left to read.
  bool AtEnd() { return input_.empty() && !ReadMore() && !timed_out_; }
  // Exactly `count` bytes, or fewer at the end.
  std::string ReadBytes(std::size_t count) {
    while (input_.size() < count && ReadMore()) {
    }
    std::string bytes = input_.substr(0, count);
    input_.erase(0, bytes.size());
    return bytes;
  }

 private:
  static std::size_t ContentLength(const std::string& head) {
    constexpr std::string_view kName = "Content-Length: ";
    const std::size_t at = head.find(kName);
    std::size_t value = 0;
    if (at != std::string::npos) {
      std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), value);
    }
    return value;
  }
  bool ReadMore() {
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) {
      timed_out_ = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      return false;
    }
    input_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
  }

  UniqueFd fd_;
  bool connected_ = false;
  bool timed_out_ = false;
  std::string input_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_TESTING_RAW_CLIENT_H_

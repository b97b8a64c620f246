// The floor under large tensors: what the kernel takes to bring a body in and the same body out.
//
//   floor_echo [port]
//
// One thread: epoll, read into one buffer for each connection, write it back with writev. No copy
// and no hop. Prints the port on its first line and serves until it is killed. It trusts its client
// (one request at a time, Content-Length in the head's own spelling) and is for nothing else.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/checked_math.h"

namespace headrace {
namespace {

constexpr std::size_t kBufferByteSize = std::size_t{4} << 20;

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd), buffer_(kBufferByteSize) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  int fd() const { return fd_; }

  // False once the client has gone.
  bool OnEvents() {
    while (true) {
      if (answering_) {
        if (!Write()) {
          return true;
        }
        answering_ = false;
        filled_ = 0;
      }
      const ssize_t count = ::recv(fd_, buffer_.data() + filled_, buffer_.size() - filled_, 0);
      if (count <= 0) {
        return count < 0;
      }
      filled_ += static_cast<std::size_t>(count);
      BeginAnswer();
      if (!answering_) {
        return true;  // edge-triggered, and the rest is on its way
      }
    }
  }

 private:
  void BeginAnswer() {
    const std::string_view input(buffer_.data(), filled_);
    const std::size_t head_end = input.find("\r\n\r\n");
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t length = input.substr(0, head_end).find(kLength);
    if (head_end == std::string_view::npos || length == std::string_view::npos) {
      return;
    }
    std::size_t body = 0;
    std::from_chars(input.data() + length + kLength.size(), input.data() + head_end, body);
    if (filled_ < head_end + 4 + body) {
      return;
    }
    head_ = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body);
    rest_ = {iovec{head_.data(), head_.size()}, iovec{buffer_.data() + head_end + 4, body}};
    answering_ = true;
  }

  // True when all is written.
  bool Write() {
    while (rest_[0].iov_len + rest_[1].iov_len > 0) {
      const ssize_t count = ::writev(fd_, rest_.data(), static_cast<int>(rest_.size()));
      if (count < 0) {
        return false;
      }
      auto left = static_cast<std::size_t>(count);
      for (iovec& part : rest_) {
        const std::size_t taken = std::min(left, part.iov_len);
        part.iov_base = static_cast<char*>(part.iov_base) + taken;
        part.iov_len -= taken;
        left -= taken;
      }
    }
    return true;
  }

  const int fd_;
  std::vector<char> buffer_;
  std::size_t filled_ = 0;
  bool answering_ = false;
  std::string head_;
  std::array<iovec, 2> rest_{};
};

int Listen(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 1024) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

void Serve(std::uint16_t port) {
  const int listener = Listen(port);
  const int epoll = epoll_create1(0);
  const auto watch = [&](int fd, std::uint32_t events, void* what) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = what;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener, EPOLLIN, nullptr);
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection == nullptr) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        watch(fd, EPOLLIN | EPOLLOUT | EPOLLET, new Connection(fd));
      } else if (!connection->OnEvents()) {
        delete connection;
      }
    }
  }
}

}  // namespace
}  // namespace headrace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  headrace::Serve(argc > 1 ? headrace::ParseDecimal<std::uint16_t>(argv[1]).value_or(0) : 0);
}

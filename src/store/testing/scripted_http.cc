#include "store/testing/scripted_http.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"

namespace headrace::store::testing {

ScriptedAnswer ScriptedAnswer::Ok(const std::string& body) {
  return {fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)};
}

ScriptedAnswer ScriptedAnswer::Redirect(const std::string& location) {
  return {fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 5\r\n\r\nmoved",
                      location)};
}

ScriptedHttp::ScriptedHttp(Script script)
    : script_(std::move(script)),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  HEADRACE_CHECK(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  HEADRACE_CHECK(listen(listener_.get(), 16) == 0);
  HEADRACE_CHECK(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

ScriptedHttp::~ScriptedHttp() {
  const std::uint64_t one = 1;
  HEADRACE_CHECK(write(stop_.get(), &one, sizeof(one)) == sizeof(one));
  thread_.join();
}

std::string ScriptedHttp::Url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::vector<std::string> ScriptedHttp::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

namespace {

// False when the server is to stop.
bool WaitFor(int fd, short events, int stop) {
  pollfd polled[] = {{fd, events, 0}, {stop, POLLIN, 0}};
  return poll(polled, 2, -1) > 0 && polled[1].revents == 0;
}

bool SendAll(int fd, const std::string& bytes, int stop) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    if (!WaitFor(fd, POLLOUT, stop)) {
      return false;
    }
    const ssize_t now =
        send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (now <= 0) {
      return false;
    }
    sent += static_cast<std::size_t>(now);
  }
  return true;
}

}  // namespace

void ScriptedHttp::Serve() {
  while (WaitFor(listener_.get(), POLLIN, stop_.get())) {
    const UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) {
      Answer(connection.get());
    }
  }
}

void ScriptedHttp::Answer(int fd) {
  std::string head;
  char block[4096];
  while (head.find("\r\n\r\n") == std::string::npos) {
    ssize_t size = 0;
    if (!WaitFor(fd, POLLIN, stop_.get()) || (size = read(fd, block, sizeof(block))) <= 0) {
      return;
    }
    head.append(block, static_cast<std::size_t>(size));
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(head);
  }
  const std::size_t path = head.find(' ') + 1;
  const ScriptedAnswer answer = script_(head.substr(path, head.find(' ', path) - path));
  bool going = SendAll(fd, answer.bytes, stop_.get());
  while (going && answer.then == ScriptedAnswer::Then::kRepeat) {
    going = SendAll(fd, answer.bytes, stop_.get());
  }
  if (answer.then == ScriptedAnswer::Then::kHold) {
    while (WaitFor(fd, POLLIN, stop_.get()) && read(fd, block, sizeof(block)) > 0) {
    }
  } else if (answer.then == ScriptedAnswer::Then::kReset) {
    const linger reset = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
}

}  // namespace headrace::store::testing

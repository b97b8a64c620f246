// A blocking HTTP client that sends bytes as they are, for the tests of this folder.
#ifndef HEADRACE_FRONTEND_WIRE_CLIENT_H_
#define HEADRACE_FRONTEND_WIRE_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/unique_fd.h"

namespace headrace::frontend {

struct WireResponse {
  int status = 0;
  std::string head;  // with the status line
  std::string body;

  // The value of a header, or nothing. `name` as the server spells it.
  std::optional<std::string> Header(std::string_view name) const {
    const std::string line = "\r\n" + std::string(name) + ": ";
    const std::size_t at = head.find(line);
    if (at == std::string::npos) {
      return std::nullopt;
    }
    const std::size_t begin = at + line.size();
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

class WireClient {
 public:
  explicit WireClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval timeout{.tv_sec = 20, .tv_usec = 0};  // a hang fails the test instead of the run
    HEADRACE_CHECK(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ==
                   0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    HEADRACE_CHECK(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
                   0);
  }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) {
        return;  // refused and closed: the answer tells
      }
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  // Status 0 when the connection ended before an answer.
  WireResponse Receive(bool has_body = true) {
    WireResponse response;
    std::size_t end;
    while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) {
        return response;
      }
    }
    response.head = pending_.substr(0, end + 2);
    pending_.erase(0, end + 4);
    const char* const digits = response.head.data() + 9;  // behind "HTTP/1.1 "
    std::from_chars(digits, digits + 3, response.status);
    std::size_t length = 0;
    if (const auto text = response.Header("Content-Length"); text && has_body) {
      std::from_chars(text->data(), text->data() + text->size(), length);
    }
    while (pending_.size() < length && Fill()) {
    }
    response.body = pending_.substr(0, length);
    pending_.erase(0, length);
    return response;
  }

  // The body of a chunked answer whose head was received. Fails the test's process on any other.
  std::string ReceiveChunks() {
    std::string body;
    while (true) {
      std::size_t end;
      while ((end = pending_.find("\r\n")) == std::string::npos) {
        HEADRACE_CHECK(Fill());
      }
      std::size_t size = 0;
      HEADRACE_CHECK(std::from_chars(pending_.data(), pending_.data() + end, size, 16).ptr ==
                     pending_.data() + end);
      while (pending_.size() < end + 2 + size + 2) {
        HEADRACE_CHECK(Fill());
      }
      body.append(pending_, end + 2, size);
      pending_.erase(0, end + 2 + size + 2);
      if (size == 0) {
        return body;
      }
    }
  }

  WireResponse Exchange(std::string_view method, std::string_view path, std::string_view body = {},
                        std::string_view headers = {}) {
    std::string request(method);
    request.append(" ").append(path).append(" HTTP/1.1\r\nHost: localhost\r\n").append(headers);
    if (!body.empty() || method == "POST") {
      request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
    }
    Send(request.append("\r\n").append(body));
    return Receive(method != "HEAD");
  }

  WireResponse Get(std::string_view path) { return Exchange("GET", path); }
  WireResponse Post(std::string_view path, std::string_view body, std::string_view headers = {}) {
    return Exchange("POST", path, body, headers);
  }

 private:
  bool Fill() {
    char bytes[65536];
    const ssize_t count = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
    if (count <= 0) {
      return false;
    }
    pending_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  UniqueFd fd_;
  std::string pending_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_WIRE_CLIENT_H_

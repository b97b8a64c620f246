// An HTTP server that answers as it is told, stands still when it is told, and keeps its own times.
#ifndef HEADRACE_LOAD_TESTING_STUB_SERVER_H_
#define HEADRACE_LOAD_TESTING_STUB_SERVER_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "load/poller.h"

namespace headrace::load {

struct StubRequest {
  std::string head;  // up to and with the empty line
  std::string body;
  int connection = 0;  // in the order in which they were accepted
  int number = 0;      // of all requests
};

struct StubReply {
  std::string bytes;
  Nanos delay = 0;     // from the arrival of the request's last byte
  bool close = false;  // the connection, behind the bytes
  bool reset = false;  // the same with a RST
};

// The times of one request as the server saw them, CLOCK_MONOTONIC.
struct StubTimes {
  Nanos arrived = 0;   // its last byte was read
  Nanos answered = 0;  // before the answer was written
};

inline std::string HttpAnswer(int status, std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(headers) +
         "\r\n" + std::string(body);
}

// One thread; on a free loopback port, or a Unix socket.
class StubServer {
 public:
  using Handler = std::function<StubReply(const StubRequest&)>;

  explicit StubServer(Handler handler, const std::string& unix_path = "")
      : handler_(std::move(handler)), poller_(std::move(Poller::Make()).value()) {
    Listen(unix_path);
    wake_.Reset(::eventfd(0, EFD_NONBLOCK));
    Require(poller_.Add(wake_.get(), EPOLLIN, waker_).ok());
    Require(poller_.Add(listener_.get(), EPOLLIN, acceptor_).ok());
    thread_ = std::thread([this] { Run(); });
  }
  ~StubServer() {
    stop_ = true;
    Resume();
    thread_.join();
  }

  std::uint16_t port() const { return port_; }

  // From now on nothing is accepted, read or answered. Returns when the server stands.
  void Stall() {
    std::unique_lock lock(mutex_);
    stalled_ = true;
    Wake();
    standing_changed_.wait(lock, [this] { return standing_; });
  }
  void Resume() {
    const std::lock_guard lock(mutex_);
    stalled_ = false;
    standing_changed_.notify_all();
    Wake();
  }

  int connection_count() const { return accepted_count_; }
  // Waits until so many requests have come.
  void WaitForRequests(std::size_t count) {
    std::unique_lock lock(mutex_);
    standing_changed_.wait(lock, [&] { return request_count_ >= count; });
  }
  // In the order of arrival, of requests that were answered.
  std::vector<StubTimes> times() {
    const std::lock_guard lock(mutex_);
    return times_;
  }
  std::vector<StubRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  // Large runs need not keep them.
  void KeepNoRequests() { keep_requests_ = false; }

 private:
  struct Caller final : PollHandler {
    explicit Caller(std::function<void()> to_call) : call(std::move(to_call)) {}
    void OnEvents(std::uint32_t) override { call(); }
    std::function<void()> call;
  };
  struct Connection {
    UniqueFd fd;
    int number = 0;
    std::string input;
    std::unique_ptr<Caller> caller;
  };
  struct Due {
    int connection;
    std::size_t time_index;
    StubReply reply;
  };

  static void Require(bool condition) {
    if (!condition) {
      std::abort();
    }
  }

  void Listen(const std::string& unix_path) {
    sockaddr_in internet{};
    sockaddr_un local{};
    sockaddr* address = reinterpret_cast<sockaddr*>(&internet);
    socklen_t size = sizeof(internet);
    internet.sin_family = AF_INET;
    internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!unix_path.empty()) {
      local.sun_family = AF_UNIX;
      std::strncpy(local.sun_path, unix_path.c_str(), sizeof(local.sun_path) - 1);
      address = reinterpret_cast<sockaddr*>(&local);
      size = sizeof(local);
    }
    listener_.Reset(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    Require(::bind(listener_.get(), address, size) == 0);
    Require(::listen(listener_.get(), 4096) == 0);
    if (unix_path.empty()) {
      Require(::getsockname(listener_.get(), address, &size) == 0);
      port_ = ntohs(internet.sin_port);
    }
  }

  void Wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
  }

  void Run() {
    Poller::SharpenTimers();
    while (!stop_) {
      {
        std::unique_lock lock(mutex_);
        if (stalled_) {
          standing_ = true;
          standing_changed_.notify_all();
          standing_changed_.wait(lock, [this] { return !stalled_; });
          standing_ = false;
        }
      }
      poller_.Poll(due_.empty() ? kNever : due_.begin()->first);
      const Nanos now = Clock::Real().Now();
      while (!due_.empty() && due_.begin()->first <= now) {
        const Due due = std::move(due_.begin()->second);
        due_.erase(due_.begin());
        Answer(due.connection, due.time_index, due.reply);
      }
    }
  }

  void ReadWake() {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t size = ::read(wake_.get(), &count, sizeof(count));
  }

  void Accept() {
    while (true) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) {
        return;
      }
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      const int number = accepted_count_++;
      Connection& connection = connections_[number];
      connection.number = number;
      connection.fd = std::move(fd);
      connection.caller = std::make_unique<Caller>([this, number] { Read(number); });
      Require(poller_.Add(connection.fd.get(), EPOLLIN, *connection.caller).ok());
    }
  }

  void Read(int number) {
    Connection& connection = connections_.at(number);
    std::array<char, 65536> bytes;
    const ssize_t size = ::recv(connection.fd.get(), bytes.data(), bytes.size(), 0);
    if (size <= 0) {
      Close(number);
      return;
    }
    connection.input.append(bytes.data(), static_cast<std::size_t>(size));
    while (TakeRequest(number)) {
    }
  }

  bool TakeRequest(int number) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) {
      return false;
    }
    std::string& input = found->second.input;
    const std::size_t head_end = input.find("\r\n\r\n");
    if (head_end == std::string::npos) {
      return false;
    }
    std::size_t body_size = 0;
    if (const std::size_t at = input.find("Content-Length: ");
        at != std::string::npos && at < head_end && (at < 2 || input[at - 1] == '\n')) {
      body_size = std::strtoul(input.c_str() + at + 16, nullptr, 10);
    }
    if (input.size() < head_end + 4 + body_size) {
      return false;
    }
    StubRequest request;
    request.head = input.substr(0, head_end + 4);
    request.body = input.substr(head_end + 4, body_size);
    request.connection = number;
    input.erase(0, head_end + 4 + body_size);
    const Nanos now = Clock::Real().Now();
    std::size_t index;
    {
      const std::lock_guard lock(mutex_);
      index = request_count_++;
      request.number = static_cast<int>(index);
      times_.push_back({now, 0});
      if (keep_requests_) {
        requests_.push_back(request);
      }
      standing_changed_.notify_all();
    }
    StubReply reply = handler_(request);
    if (reply.delay > 0) {
      due_.emplace(now + reply.delay, Due{number, index, std::move(reply)});
    } else {
      Answer(number, index, reply);
    }
    return true;
  }

  void Answer(int number, std::size_t index, const StubReply& reply) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) {
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      times_[index].answered = Clock::Real().Now();
    }
    std::string_view rest = reply.bytes;
    while (!rest.empty()) {
      const ssize_t size = ::send(found->second.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN) {
        break;
      }
      rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
    if (reply.reset) {
      const linger at_once{1, 0};
      ::setsockopt(found->second.fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    if (reply.close || reply.reset) {
      Close(number);
    }
  }

  void Close(int number) {
    Connection& connection = connections_.at(number);
    poller_.Remove(connection.fd.get(), *connection.caller);
    connection.fd.Reset();
    // The caller may be the one that runs.
    closed_.push_back(std::move(connection.caller));
    connections_.erase(number);
  }

  const Handler handler_;
  Poller poller_;
  std::uint16_t port_ = 0;
  UniqueFd listener_, wake_;
  Caller waker_{[this] { ReadWake(); }};
  Caller acceptor_{[this] { Accept(); }};
  std::map<int, Connection> connections_;
  std::vector<std::unique_ptr<Caller>> closed_;
  std::multimap<Nanos, Due> due_;
  std::atomic<int> accepted_count_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> keep_requests_{true};

  std::mutex mutex_;
  std::condition_variable standing_changed_;
  bool stalled_ = false, standing_ = false;
  std::size_t request_count_ = 0;
  std::vector<StubTimes> times_;
  std::vector<StubRequest> requests_;

  std::thread thread_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TESTING_STUB_SERVER_H_

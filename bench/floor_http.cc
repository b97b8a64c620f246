// The floor under every HTTP figure: what the socket calls alone cost on this machine.
//
//   floor_http bare [port]      one thread: epoll, read, write a fixed answer of 280 bytes
//   floor_http hop [port]       the same with a hop to a second thread and back for every request
//   floor_http net [port]       Headrace's HTTP server with a handler that answers at once
//   floor_http net-hop [port]   the same with the hop
//
// Prints the port on its first line and serves until it is killed. The `bare` and `hop` responders
// take one read for one request; they are for load generators that do not pipeline, and for nothing
// else.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/http_server.h"

namespace headrace {
namespace {

// With the head of the bare responder: 280 bytes.
const std::string& AnswerBody() {
  static const std::string kBody(280 - 71, 'x');
  return kBody;
}

std::string BareAnswer() {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 209\r\n\r\n" +
         AnswerBody();
}

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A thread that runs what it is given, in order: one mutex and one condition variable, as an
// instance thread has.
class Worker {
 public:
  explicit Worker(std::function<void(void*)> work)
      : work_(std::move(work)), thread_([this] { Run(); }) {
    thread_.detach();
  }
  void Push(void* item) {
    bool wake;
    {
      const std::lock_guard lock(mutex_);
      wake = waiting_;
      items_.push_back(item);
    }
    if (wake) {
      ready_.notify_one();
    }
  }

 private:
  void Run() {
    std::vector<void*> taken;
    while (true) {
      {
        std::unique_lock lock(mutex_);
        waiting_ = true;
        ready_.wait(lock, [this] { return !items_.empty(); });
        waiting_ = false;
        taken.swap(items_);
      }
      for (void* item : taken) {
        work_(item);
      }
      taken.clear();
    }
  }

  std::function<void(void*)> work_;
  std::mutex mutex_;
  std::condition_variable ready_;
  bool waiting_ = false;
  std::vector<void*> items_;
  std::thread thread_;
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
    Die("listen");
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

void WriteAnswer(int fd, const std::string& answer) {
  [[maybe_unused]] const ssize_t written = ::write(fd, answer.data(), answer.size());
}

void ServeBare(std::uint16_t port, bool hop) {
  const int listener = Listen(port);
  const int epoll = epoll_create1(0);
  const int wake = eventfd(0, EFD_NONBLOCK);
  const std::string answer = BareAnswer();
  std::mutex mutex;
  std::vector<int> done;
  // The way back: one wake-up for all answers that wait.
  Worker worker([&](void* item) {
    bool was_empty;
    {
      const std::lock_guard lock(mutex);
      was_empty = done.empty();
      done.push_back(static_cast<int>(reinterpret_cast<std::intptr_t>(item)));
    }
    if (was_empty) {
      eventfd_write(wake, 1);
    }
  });
  const auto watch = [&](int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener, EPOLLIN);
  watch(wake, EPOLLIN | EPOLLET);
  std::array<epoll_event, 256> events;
  std::array<char, 16384> input;
  std::vector<int> answered;
  while (true) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        watch(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK), EPOLLIN | EPOLLET);
      } else if (fd == wake) {
        const std::lock_guard lock(mutex);
        answered.swap(done);
      } else if (const ssize_t size = ::read(fd, input.data(), input.size()); size == 0) {
        ::close(fd);
      } else if (size > 0 && hop) {
        worker.Push(reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
      } else if (size > 0) {
        WriteAnswer(fd, answer);
      }
    }
    for (const int fd : answered) {
      WriteAnswer(fd, answer);
    }
    answered.clear();
  }
}

class Answer final : public net::LoopTask {
 public:
  explicit Answer(net::HttpExchangeRef exchange) : exchange_(std::move(exchange)) {}
  void Run() override { Respond(*exchange_); }
  static void Respond(net::HttpExchange& exchange) {
    net::HttpResponse response;
    response.body.push_back(Buffer::Unowned(AnswerBody()));
    exchange.Respond(std::move(response));
  }
  net::EventLoop& loop() { return exchange_->loop(); }

 private:
  net::HttpExchangeRef exchange_;
};

class FixedHandler final : public net::HttpHandler {
 public:
  explicit FixedHandler(bool hop) {
    if (hop) {
      worker_ = std::make_unique<Worker>([](void* item) {
        std::unique_ptr<Answer> answer(static_cast<Answer*>(item));
        net::EventLoop& loop = answer->loop();
        loop.Post(std::move(answer));
      });
    }
  }
  net::BodyPlan OnHead(const net::HttpRequestHead&) override {
    net::BodyPlan plan;
    plan.byte_size_max = std::uint64_t{64} << 20;
    return plan;
  }
  void OnRequest(net::HttpExchangeRef exchange) override {
    if (worker_ == nullptr) {
      Answer::Respond(*exchange);
    } else {
      worker_->Push(new Answer(std::move(exchange)));
    }
  }

 private:
  std::unique_ptr<Worker> worker_;
};

void ServeNet(std::uint16_t port, bool hop) {
  BlockPool pool;
  FixedHandler handler(hop);
  auto server = net::HttpServer::Create({}, pool, Clock::Real());
  net::ListenerOptions options;
  options.port = port;
  auto bound = (*server)->AddListener(options, handler);
  if (!bound.ok()) {
    std::fprintf(stderr, "%s\n", bound.status().message().c_str());
    std::exit(1);
  }
  std::printf("%d\n", *bound);
  std::fflush(stdout);
  while (true) {
    ::pause();
  }
}

int Main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  std::uint16_t port = 0;
  if (argc > 2) {
    std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), port);
  }
  std::signal(SIGPIPE, SIG_IGN);
  if (mode == "bare" || mode == "hop") {
    ServeBare(port, mode == "hop");
  } else if (mode == "net" || mode == "net-hop") {
    ServeNet(port, mode == "net-hop");
  }
  std::fprintf(stderr, "usage: floor_http bare|hop|net|net-hop [port]\n");
  return 2;
}

}  // namespace
}  // namespace headrace

int main(int argc, char** argv) { return headrace::Main(argc, argv); }

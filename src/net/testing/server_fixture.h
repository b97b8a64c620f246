// A server on a free loopback port with a handler that tests steer.
#ifndef HEADRACE_NET_TESTING_SERVER_FIXTURE_H_
#define HEADRACE_NET_TESTING_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/clock.h"
#include "net/http_server.h"
#include "net/testing/grpc_echo.h"
#include "tensor/block_pool.h"

namespace headrace::net {

// Answers "/hold..." when the test says so, and everything else at once: "<target>:<body>".
// `/large/N` gets N bytes,
// `/refuse` is refused with 404 at its head.
class EchoHandler final : public HttpHandler {
 public:
  std::uint64_t body_byte_size_max = 8 << 20;
  std::uint64_t aligned_offset = 0;

  BodyPlan OnHead(const HttpRequestHead& head) override {
    BodyPlan plan;
    plan.byte_size_max = body_byte_size_max;
    plan.aligned_offset = aligned_offset;
    if (head.path == "/refuse") {
      plan.refuse_status = 404;
      plan.refuse_json = "{\"error\":\"no such path\"}";
      plan.refuse_headers = "X-Why: test\r\n";
    }
    return plan;
  }
  void OnRequest(HttpExchangeRef exchange) override {
    if (exchange->head().path.starts_with("/hold")) {
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(exchange));
      arrived_.notify_all();
    } else {
      Answer(*exchange);
    }
  }
  static void Answer(HttpExchange& exchange) {
    HttpResponse response;
    const std::string_view path = exchange.head().path;
    if (path.starts_with("/large/")) {
      response.body.push_back(
          Buffer::FromString(std::string(std::stoul(std::string(path.substr(7))), 'L')));
    } else {
      response.body.push_back(Buffer::CopyOf(exchange.head().target));
      response.body.push_back(Buffer::CopyOf(":"));
      response.body.push_back(exchange.body());
    }
    exchange.Respond(std::move(response));
  }

  // The next held request; waits for it.
  HttpExchangeRef WaitHeld() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !held_.empty(); });
    HttpExchangeRef exchange = std::move(held_.front());
    held_.pop_front();
    return exchange;
  }
  // Answers from another thread, as an instance would.
  static void AnswerFromOutside(HttpExchangeRef exchange) {
    EventLoop& loop = exchange->loop();
    loop.PostFunction([exchange = std::move(exchange)] { Answer(*exchange); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<HttpExchangeRef> held_;
};

class ServerFixture : public testing::Test {
 protected:
  void Start(HttpLimits limits = {}, int loop_count = 1) {
    ListenerOptions options;
    options.limits = limits;
    StartListener(options, loop_count);
  }
  void StartListener(const ListenerOptions& options, int loop_count = 1) {
    auto server = HttpServer::Create({.loop_count = loop_count}, pool_, clock_);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
    auto port = server_->AddListener(options, handler_, &grpc_);
    ASSERT_TRUE(port.ok()) << port.status().ToString();
    port_ = *port;
  }
  // Returns when the loops have seen everything that was sent before, and timers the time before:
  // the second task runs in a turn whose wait began after the call, the third behind its timers.
  void Settle() {
    for (int i = 0; i < 3; ++i) {
      for (const auto& loop : server_->loops()) {
        std::promise<void> done;
        loop->PostFunction([&] { done.set_value(); });
        done.get_future().wait();
      }
    }
  }
  // Moves the clock when the loops have seen all before, and lets them look at it.
  void Advance(Nanos duration) {
    Settle();
    clock_.Advance(duration);
    Settle();
  }
  ListenerCounters counters() { return server_->counters("http"); }

  FakeClock clock_{kSecond};
  BlockPool pool_;
  EchoHandler handler_;
  GrpcEcho grpc_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_TESTING_SERVER_FIXTURE_H_

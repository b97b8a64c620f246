#include "net/http_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/testing/raw_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

using testing::HasSubstr;

class HttpServerTest : public ServerFixture {};

std::string Post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

std::string Get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::string Pattern(std::size_t byte_size) {
  std::string text(byte_size, '\0');
  for (std::size_t i = 0; i < byte_size; ++i) {
    text[i] = static_cast<char>('a' + i % 23);
  }
  return text;
}

std::size_t OpenDescriptors() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

TEST_F(HttpServerTest, Request_IsAnswered_AndTheConnectionKept) {
  Start();
  RawClient client(port_);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send(Post("/a?b", "hello")));
    const RawResponse response = client.ReadResponse();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "/a?b:hello");
    EXPECT_FALSE(response.Has("Connection:"));
  }
  EXPECT_EQ(counters().requests, 3u);
  EXPECT_EQ(counters().responses, 3u);
  EXPECT_EQ(counters().connections_open, 1u);
}

TEST_F(HttpServerTest, Request_IsAnsweredTheSame_AtEverySplitPoint) {
  Start();
  const std::string request =
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\nX-Some-Field: " + std::string(30, 'v') +
      "\r\n\r\n01234567890123456789";
  RawClient client(port_);
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    ASSERT_TRUE(client.Send(request.substr(0, cut)));
    Settle();
    ASSERT_TRUE(client.Send(request.substr(cut)));
    ASSERT_EQ(client.ReadResponse().body, "/x:01234567890123456789") << cut;
  }
}

TEST_F(HttpServerTest, Body_IsPlacedWhole_ForEverySizeAroundTheGrowthSteps) {
  Start();
  RawClient client(port_);
  for (const std::size_t size :
       {1, 63, 16 * 1024, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 602'112, 5 << 20}) {
    const std::string body = Pattern(size);
    ASSERT_TRUE(client.Send(Post("/b", body)));
    EXPECT_EQ(client.ReadResponse().body, "/b:" + body) << size;
    // The head by itself first, as many clients send it.
    const std::string request = Post("/b", body);
    const std::size_t head = request.size() - size;
    ASSERT_TRUE(client.Send(request.substr(0, head)));
    Settle();
    ASSERT_TRUE(client.Send(request.substr(head)));
    EXPECT_EQ(client.ReadResponse().body, "/b:" + body) << size;
  }
}

TEST_F(HttpServerTest, Body_IsAligned_WhereThePlanSays) {
  handler_.aligned_offset = 137;
  Start();
  RawClient client(port_);
  const std::string body = Pattern(300'000);
  ASSERT_TRUE(client.Send(Post("/hold", body)));
  HttpExchangeRef sized = handler_.WaitHeld();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(sized->body().data() + 137) % 64, 0u);
  EchoHandler::AnswerFromOutside(std::move(sized));
  EXPECT_EQ(client.ReadResponse().body, "/hold:" + body);

  std::string chunked = "POST /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 1000) {
    chunked += "3E8\r\n" + body.substr(at, 1000) + "\r\n";
  }
  ASSERT_TRUE(client.Send(chunked + "0\r\n\r\n"));
  HttpExchangeRef exchange = handler_.WaitHeld();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(exchange->body().data() + 137) % 64, 0u);
  EchoHandler::AnswerFromOutside(std::move(exchange));
  EXPECT_EQ(client.ReadResponse().body, "/hold:" + body);
}

TEST_F(HttpServerTest, Pipelining_AnswersInOrder_AndLosesNone) {
  Start();
  RawClient client(port_);
  std::string all;
  for (int i = 0; i < 100; ++i) {
    all +=
        Post(i % 2 == 0 ? "/hold" + std::to_string(i) : "/" + std::to_string(i), Pattern(i * 50));
  }
  ASSERT_TRUE(client.Send(all));
  for (int i = 0; i < 100; ++i) {
    if (i % 2 == 0) {
      EchoHandler::AnswerFromOutside(handler_.WaitHeld());
    }
    const std::string target = i % 2 == 0 ? "/hold" + std::to_string(i) : "/" + std::to_string(i);
    ASSERT_EQ(client.ReadResponse().body, target + ":" + Pattern(i * 50));
  }
}

// More than one turn may read, and more than the socket takes back unread: the connection
// alternates between reading, writing and waiting, and loses its place in none of them.
TEST_F(HttpServerTest, Pipelining_OfMegabytes_IsAnsweredInOrder_WhileOthersAreServed) {
  Start();
  constexpr int kCount = 40'000;
  RawClient client(port_, 16 * 1024);
  std::thread sender([&] {
    std::string all;
    for (int i = 0; i < kCount; ++i) {
      all += i % 3 == 0 ? Post("/p", std::to_string(i)) : Get("/g" + std::to_string(i));
    }
    EXPECT_TRUE(client.Send(all));
  });
  for (int i = 0; i < kCount; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_EQ(client.ReadResponse().body, i % 3 == 0 ? "/p:" + number : "/g" + number + ":");
    if (i % 10'000 == 0) {
      RawClient other(port_);
      ASSERT_TRUE(other.Send(Get("/other")));
      EXPECT_EQ(other.ReadResponse().body, "/other:");
    }
  }
  sender.join();
}

TEST_F(HttpServerTest, Head_GetsTheLengthWithoutTheBody) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"));
  const RawResponse response = client.ReadResponse(true);
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.Has("Content-Length: 3\r\n"));
  ASSERT_TRUE(client.Send(Get("/b")));
  EXPECT_EQ(client.ReadResponse().body, "/b:");
}

TEST_F(HttpServerTest, Connection_IsClosed_WhenTheClientAsks) {
  Start();
  for (const char* request :
       {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"}) {
    RawClient client(port_);
    ASSERT_TRUE(client.Send(request));
    const RawResponse response = client.ReadResponse();
    EXPECT_EQ(response.body, "/a:");
    EXPECT_TRUE(response.Has("Connection: close\r\n"));
    EXPECT_TRUE(client.AtEnd());
  }
  RawClient client(port_);
  ASSERT_TRUE(client.Send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(client.ReadResponse().Has("Connection: keep-alive\r\n"));
  ASSERT_TRUE(client.Send(Get("/b")));
  EXPECT_EQ(client.ReadResponse().body, "/b:");
}

TEST_F(HttpServerTest, BadRequest_GetsJson_AndNothingBehindItRuns) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\n" +
      Get("/smuggled")));
  const RawResponse response = client.ReadResponse();
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(response.Has("Connection: close\r\n"));
  EXPECT_TRUE(response.Has("Content-Type: application/json\r\n"));
  EXPECT_THAT(response.body, testing::StartsWith("{\"error\":\""));
  client.HalfClose();
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(counters().requests, 0u);
  EXPECT_EQ(counters().bad_requests, 1u);
}

TEST_F(HttpServerTest, LargeBody_IsRefusedBeforeItComes) {
  Start();
  handler_.body_byte_size_max = 1000;
  {
    RawClient client(port_);
    ASSERT_TRUE(client.Send(
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"));
    EXPECT_EQ(client.ReadResponse().status, 413);
  }
  {
    RawClient client(port_);
    ASSERT_TRUE(client.Send(Post("/a", Pattern(1000))));
    EXPECT_EQ(client.ReadResponse().status, 200);
  }
  {
    RawClient client(port_);
    ASSERT_TRUE(
        client.Send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3E8\r\n" +
                    Pattern(1000) + "\r\n1\r\n"));
    EXPECT_EQ(client.ReadResponse().status, 413);
  }
  {
    RawClient client(port_);
    ASSERT_TRUE(
        client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n"));
    EXPECT_EQ(client.ReadResponse().status, 413);
  }
}

TEST_F(HttpServerTest, LargeBody_SentWholeBeforeReading_StillSeesTheRefusal) {
  Start();
  handler_.body_byte_size_max = 1000;
  RawClient client(port_);
  ASSERT_TRUE(client.Send(Post("/a", Pattern(8 << 20))));
  EXPECT_EQ(client.ReadResponse().status, 413);
}

TEST_F(HttpServerTest, Continue_IsSent_OnlyWhenTheBodyIsWanted) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.ReadResponse().status, 100);
  ASSERT_TRUE(client.Send("hi"));
  EXPECT_EQ(client.ReadResponse().body, "/a:hi");
  ASSERT_TRUE(
      client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: magic\r\n\r\n"));
  EXPECT_EQ(client.ReadResponse().status, 417);
}

TEST_F(HttpServerTest, Refusal_KeepsTheConnection_WhenTheBodyIsThere) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(Post("/refuse", "hello") + Get("/b")));
  const RawResponse refusal = client.ReadResponse();
  EXPECT_EQ(refusal.status, 404);
  EXPECT_TRUE(refusal.Has("X-Why: test\r\n"));
  EXPECT_EQ(client.ReadResponse().body, "/b:");
  ASSERT_TRUE(client.Send("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"));
  EXPECT_TRUE(client.ReadResponse().Has("Connection: close"));
  client.HalfClose();
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpServerTest, HalfClose_StillGetsItsAnswer) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(Post("/hold", "x")));
  client.HalfClose();
  HttpExchangeRef exchange = handler_.WaitHeld();
  EXPECT_EQ(client.ReadBytes(9), "HTTP/1.1 ");  // the probe; the rest follows with the answer
  EXPECT_FALSE(exchange->cancelled());
  EchoHandler::AnswerFromOutside(std::move(exchange));
  EXPECT_EQ(client.ReadBytes(8), "200 OK\r\n");
  EXPECT_THAT(client.ReadBytes(1000), HasSubstr("\r\n\r\n/hold:x"));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpServerTest, HalfClose_AnswersAllPipelinedRequests) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(Get("/a") + Get("/b") + Get("/c")));
  client.HalfClose();
  EXPECT_EQ(client.ReadResponse().body, "/a:");
  EXPECT_EQ(client.ReadResponse().body, "/b:");
  EXPECT_EQ(client.ReadResponse().body, "/c:");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpServerTest, Disconnect_CancelsTheRequestInWork) {
  Start();
  for (const bool reset : {false, true}) {
    RawClient client(port_);
    ASSERT_TRUE(client.Send(Post("/hold", "x")));
    HttpExchangeRef exchange = handler_.WaitHeld();
    EXPECT_FALSE(exchange->cancelled());
    reset ? client.Reset() : client.Close();
    while (!exchange->cancelled()) {
      Settle();
    }
    EchoHandler::AnswerFromOutside(exchange);  // too late, and harmless
    Settle();
  }
  EXPECT_EQ(counters().cancelled, 2u);
  EXPECT_EQ(counters().connections_open, 0u);
}

TEST_F(HttpServerTest, SlowHead_IsCut_AfterTheHeaderTimeout) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send("GET / HT"));
  Advance(6 * kSecond);
  ASSERT_TRUE(client.Send("TP/1.1\r\n"));  // progress does not move the deadline
  Advance(4 * kSecond);
  EXPECT_EQ(client.ReadResponse().status, 408);
  EXPECT_EQ(counters().timeouts, 1u);
}

TEST_F(HttpServerTest, SlowBody_IsCut_ByTheIdleTimeoutAndByTheRateFloor) {
  Start();
  const std::string head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
  {
    RawClient idle(port_);
    ASSERT_TRUE(idle.Send(head + Pattern(50'000)));
    Advance(14 * kSecond);
    EXPECT_EQ(counters().timeouts, 0u);
    Advance(1 * kSecond);
    EXPECT_EQ(idle.ReadResponse().status, 408);
  }
  {
    RawClient slow(port_);
    ASSERT_TRUE(slow.Send(head));
    for (int second = 0; second < 5; ++second) {
      ASSERT_TRUE(slow.Send("x"));
      Advance(kSecond);
    }
    EXPECT_EQ(slow.ReadResponse().status, 408);
  }
  {
    RawClient honest(port_);
    ASSERT_TRUE(honest.Send(head));
    for (int second = 0; second < 50; ++second) {
      ASSERT_TRUE(honest.Send(Pattern(2'000)));
      Advance(kSecond);
    }
    EXPECT_EQ(honest.ReadResponse().status, 200);
  }
}

TEST_F(HttpServerTest, IdleConnection_IsClosedSilently_AfterTheKeepAliveTimeout) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(Get("/a")));
  EXPECT_EQ(client.ReadResponse().status, 200);
  Advance(74 * kSecond);
  ASSERT_TRUE(client.Send(Get("/a")));
  EXPECT_EQ(client.ReadResponse().status, 200);
  Advance(74 * kSecond);
  EXPECT_EQ(counters().connections_open, 1u);
  Advance(1 * kSecond);
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(counters().timeouts, 0u);
}

TEST_F(HttpServerTest, SlowReader_IsCut_AndItsAnswerFreed) {
  Start();
  RawClient client(port_, 4096);
  ASSERT_TRUE(client.Send(Get("/large/67108864")));
  Settle();
  EXPECT_EQ(counters().connections_open, 1u);
  Advance(29 * kSecond);
  EXPECT_EQ(counters().connections_open, 1u);
  Advance(1 * kSecond);
  EXPECT_EQ(counters().connections_open, 0u);
  EXPECT_EQ(counters().timeouts, 1u);
}

TEST_F(HttpServerTest, LargeAnswer_ArrivesWhole) {
  Start();
  RawClient client(port_, 16 * 1024);
  ASSERT_TRUE(client.Send(Get("/large/20000000") + Get("/b")));
  EXPECT_EQ(client.ReadResponse().body, std::string(20'000'000, 'L'));
  EXPECT_EQ(client.ReadResponse().body, "/b:");
}

TEST_F(HttpServerTest, Resets_LeaveNoDescriptorAndNoBlock) {
  Start();
  const std::string body = Pattern(100'000);
  const auto storm = [&](int count) {
    for (int i = 0; i < count; ++i) {
      RawClient in_head(port_);
      in_head.Send("POST /a HTTP/1.1\r\nHost:");
      in_head.Reset();
      RawClient in_body(port_);
      in_body.Send(Post("/a", body).substr(0, 50'000));
      in_body.Reset();
      RawClient in_answer(port_);
      in_answer.Send(Get("/large/1000000"));
      in_answer.Reset();
    }
    while (counters().connections_open > 0 ||
           counters().connections_accepted < static_cast<std::uint64_t>(3 * count)) {
      Settle();
    }
  };
  storm(10);
  const std::size_t before = OpenDescriptors();
  storm(300);
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_EQ(pool_.in_use_byte_size(), 0u);
}

TEST_F(HttpServerTest, ConnectionLimit_RefusesWith503) {
  HttpLimits limits;
  limits.connection_count_max = 2;
  Start(limits);
  auto first = std::make_unique<RawClient>(port_);
  RawClient second(port_);
  ASSERT_TRUE(second.Send(Get("/a")));
  EXPECT_EQ(second.ReadResponse().status, 200);
  RawClient third(port_);
  const RawResponse refusal = third.ReadResponse();
  EXPECT_EQ(refusal.status, 503);
  EXPECT_TRUE(refusal.Has("Retry-After: 1\r\n"));
  EXPECT_THAT(refusal.body, HasSubstr("\"error\""));
  first.reset();
  while (counters().connections_open == 2) {
    Settle();
  }
  RawClient fourth(port_);
  ASSERT_TRUE(fourth.Send(Get("/a")));
  EXPECT_EQ(fourth.ReadResponse().status, 200);
  EXPECT_EQ(counters().connections_refused, 1u);
}

// Row 204: descriptors run out; the reserve answers 503, the loop does not spin, and service comes
// back by itself.
TEST_F(HttpServerTest, DescriptorLimit_RefusesWith503_AndRecovers) {
  Start();
  RawClient canary(port_);
  ASSERT_TRUE(canary.Send(Get("/a")));
  EXPECT_EQ(canary.ReadResponse().status, 200);
  // What is posted after this runs in a later turn than the canary's first one, whose end destroys
  // the object that stood for its connection: see below about the sanitizer.
  std::promise<void> posted;
  server_->loops()[0]->PostFunction([&] { posted.set_value(); });
  posted.get_future().wait();
  // The loop stands still while the clients connect and all descriptors are used up.
  std::promise<void> stands;
  std::promise<void> release;
  server_->loops()[0]->PostFunction([&] {
    stands.set_value();
    release.get_future().wait();
  });
  stands.get_future().wait();
  std::vector<std::unique_ptr<RawClient>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(std::make_unique<RawClient>(port_));
  }
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  constexpr int kLimit = 100;
  const rlimit low{kLimit, before.rlim_max};
  std::vector<UniqueFd> fillers;
  do {
    fillers.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  } while (fillers.back().get() < kLimit - 1);
  // The undefined-behaviour sanitizer needs a descriptor when it sees a dynamic type for the first
  // time.
  clock_.Advance(0);
  setrlimit(RLIMIT_NOFILE, &low);
  release.set_value();
  while (counters().connections_refused < 3) {
    Advance(100 * kMillisecond);  // accepting pauses when somebody else has taken the reserve
  }
  for (auto& client : waiting) {
    EXPECT_EQ(client->ReadResponse().status, 503);
  }
  EXPECT_TRUE(canary.Send(Get("/b")));
  EXPECT_EQ(canary.ReadResponse().status, 200);
  setrlimit(RLIMIT_NOFILE, &before);
  fillers.clear();
  RawClient after(port_);
  ASSERT_TRUE(after.Send(Get("/c")));
  EXPECT_EQ(after.ReadResponse().status, 200);
  EXPECT_EQ(counters().connections_refused, 3u);
}

TEST_F(HttpServerTest, NoMemoryForABody_IsAnsweredWith503) {
  BlockPool small({.in_use_byte_size_max = 200'000});
  auto server = HttpServer::Create({}, small, clock_);
  ASSERT_TRUE(server.ok());
  auto port = (*server)->AddListener({}, handler_);
  ASSERT_TRUE(port.ok());
  RawClient client(*port);
  ASSERT_TRUE(client.Send(Post("/a", Pattern(1 << 20))));
  const RawResponse response = client.ReadResponse();
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.Has("Retry-After:"));
  RawClient next(*port);
  ASSERT_TRUE(next.Send(Post("/a", "small")));
  EXPECT_EQ(next.ReadResponse().status, 200);
}

TEST_F(HttpServerTest, Drain_ClosesIdleConnections_AndLetsBusyOnesAnswer) {
  Start({}, 2);
  RawClient idle(port_);
  ASSERT_TRUE(idle.Send(Get("/a")));
  EXPECT_EQ(idle.ReadResponse().status, 200);
  RawClient busy(port_);
  ASSERT_TRUE(busy.Send(Get("/hold")));
  HttpExchangeRef exchange = handler_.WaitHeld();
  server_->StopAccepting();
  EXPECT_FALSE(server_->DrainConnections(0));
  EXPECT_TRUE(idle.AtEnd());
  EXPECT_FALSE(RawClient(port_).connected());
  EchoHandler::AnswerFromOutside(std::move(exchange));
  const RawResponse response = busy.ReadResponse();
  EXPECT_EQ(response.body, "/hold:");
  EXPECT_TRUE(response.Has("Connection: close\r\n"));
  busy.Close();
  EXPECT_TRUE(server_->DrainConnections(20 * kSecond));
}

TEST_F(HttpServerTest, StopAccepting_LeavesTheListenersThatAreKept) {
  Start();
  ListenerOptions metrics;
  metrics.name = "metrics";
  auto port = server_->AddListener(metrics, handler_);
  ASSERT_TRUE(port.ok());
  server_->StopAccepting({"metrics"});
  EXPECT_TRUE(server_->DrainConnections(kSecond));
  RawClient client(*port);
  ASSERT_TRUE(client.Send(Get("/a")));
  EXPECT_EQ(client.ReadResponse().status, 200);
}

TEST_F(HttpServerTest, Destruction_ClosesWhatIsOpen) {
  Start({}, 2);
  RawClient idle(port_);
  ASSERT_TRUE(idle.Send(Get("/a")));
  EXPECT_EQ(idle.ReadResponse().status, 200);
  RawClient busy(port_);
  ASSERT_TRUE(busy.Send(Get("/hold")));
  HttpExchangeRef exchange = handler_.WaitHeld();
  server_.reset();
  EXPECT_TRUE(exchange->cancelled());
  EXPECT_TRUE(idle.AtEnd());
}

TEST_F(HttpServerTest, BusyPort_IsAClearError) {
  Start();
  for (const int loop_count : {1, 2}) {
    auto other = HttpServer::Create({.loop_count = loop_count}, pool_, clock_);
    ASSERT_TRUE(other.ok());
    ListenerOptions options;
    options.port = port_;
    const auto port = (*other)->AddListener(options, handler_);
    ASSERT_FALSE(port.ok());
    EXPECT_THAT(port.status().message(), HasSubstr("127.0.0.1:" + std::to_string(port_)));
    EXPECT_THAT(port.status().message(), HasSubstr("in use"));
  }
}

TEST_F(HttpServerTest, BusyPort_IsAnError_EvenWhenItsOwnerWouldShareIt) {
  Start({}, 2);
  auto other = HttpServer::Create({.loop_count = 2}, pool_, clock_);
  ListenerOptions options;
  options.port = port_;
  EXPECT_FALSE((*other)->AddListener(options, handler_).ok());
}

TEST_F(HttpServerTest, ReusePort_SharesThePort) {
  ListenerOptions options;
  options.reuse_port = true;
  auto first = HttpServer::Create({.loop_count = 2}, pool_, clock_);
  auto port = (*first)->AddListener(options, handler_);
  ASSERT_TRUE(port.ok());
  options.port = *port;
  auto second = HttpServer::Create({.loop_count = 2}, pool_, clock_);
  EXPECT_TRUE((*second)->AddListener(options, handler_).ok());
}

TEST_F(HttpServerTest, Address_MustBeNumeric) {
  Start();
  ListenerOptions options;
  options.address = "localhost";
  EXPECT_EQ(server_->AddListener(options, handler_).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(HttpServerTest, RequestsPerConnection_AreLimited) {
  HttpLimits limits;
  limits.requests_per_connection_max = 2;
  Start(limits);
  RawClient client(port_);
  ASSERT_TRUE(client.Send(Get("/a")));
  EXPECT_FALSE(client.ReadResponse().Has("Connection: close"));
  ASSERT_TRUE(client.Send(Get("/b")));
  EXPECT_TRUE(client.ReadResponse().Has("Connection: close"));
  client.HalfClose();
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpServerTest, Collect_WritesTheCountersOfEachListener) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send("BAD\r\n\r\n"));
  EXPECT_EQ(client.ReadResponse().status, 400);
  telemetry::PrometheusWriter writer;
  server_->Collect(writer);
  const std::string page = writer.Take();
  EXPECT_THAT(page, HasSubstr("headrace_http_connections_accepted_total{listener=\"http\"} 1"));
  EXPECT_THAT(page,
              HasSubstr("headrace_http_rejections_total{listener=\"http\",status=\"400\"} 1"));
}

}  // namespace
}  // namespace headrace::net

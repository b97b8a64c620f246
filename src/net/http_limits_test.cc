// What a client of HTTP/1.1 may take, of time, connections, descriptors and memory.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "net/testing/http_text.h"
#include "net/testing/raw_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

using testing::HasSubstr;

class HttpLimitsTest : public ServerFixture {};

TEST_F(HttpLimitsTest, SlowHead_IsCut_AfterTheHeaderTimeout) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send("GET / HT"));
  Advance(6 * kSecond);
  ASSERT_TRUE(client.Send("TP/1.1\r\n"));  // progress does not move the deadline
  Advance(4 * kSecond);
  EXPECT_EQ(client.ReadResponse().status, 408);
  EXPECT_EQ(counters().timeouts, 1u);
}

TEST_F(HttpLimitsTest, SlowBody_IsCut_ByTheIdleTimeoutAndByTheRateFloor) {
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

TEST_F(HttpLimitsTest, IdleConnection_IsClosedSilently_AfterTheKeepAliveTimeout) {
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

TEST_F(HttpLimitsTest, SlowReader_IsCut_AndItsAnswerFreed) {
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

TEST_F(HttpLimitsTest, ConnectionLimit_RefusesWith503) {
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
TEST_F(HttpLimitsTest, DescriptorLimit_RefusesWith503_AndRecovers) {
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

TEST_F(HttpLimitsTest, NoMemoryForABody_IsAnsweredWith503) {
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

TEST_F(HttpLimitsTest, RequestsPerConnection_AreLimited) {
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

}  // namespace
}  // namespace headrace::net

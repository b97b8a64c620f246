#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>

#include "net/testing/http_text.h"
#include "net/testing/raw_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

class HttpServerTest : public ServerFixture {};

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

TEST_F(HttpServerTest, LargeAnswer_ArrivesWhole) {
  Start();
  RawClient client(port_, 16 * 1024);
  ASSERT_TRUE(client.Send(Get("/large/20000000") + Get("/b")));
  EXPECT_EQ(client.ReadResponse().body, std::string(20'000'000, 'L'));
  EXPECT_EQ(client.ReadResponse().body, "/b:");
}

}  // namespace
}  // namespace headrace::net

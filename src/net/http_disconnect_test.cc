// Clients of HTTP/1.1 that end a connection, or half of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "net/testing/http_text.h"
#include "net/testing/raw_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

using testing::HasSubstr;

class HttpDisconnectTest : public ServerFixture {};

std::size_t OpenDescriptors() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

TEST_F(HttpDisconnectTest, HalfClose_StillGetsItsAnswer) {
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

TEST_F(HttpDisconnectTest, HalfClose_AnswersAllPipelinedRequests) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(Get("/a") + Get("/b") + Get("/c")));
  client.HalfClose();
  EXPECT_EQ(client.ReadResponse().body, "/a:");
  EXPECT_EQ(client.ReadResponse().body, "/b:");
  EXPECT_EQ(client.ReadResponse().body, "/c:");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpDisconnectTest, Disconnect_CancelsTheRequestInWork) {
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

TEST_F(HttpDisconnectTest, Resets_LeaveNoDescriptorAndNoBlock) {
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

}  // namespace
}  // namespace headrace::net

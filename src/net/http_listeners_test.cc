// Ports, and how a server of HTTP/1.1 ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "net/testing/http_text.h"
#include "net/testing/raw_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

using testing::HasSubstr;

class HttpListenersTest : public ServerFixture {};

TEST_F(HttpListenersTest, Drain_ClosesIdleConnections_AndLetsBusyOnesAnswer) {
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

TEST_F(HttpListenersTest, StopAccepting_LeavesTheListenersThatAreKept) {
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

TEST_F(HttpListenersTest, Destruction_ClosesWhatIsOpen) {
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

TEST_F(HttpListenersTest, BusyPort_IsAClearError) {
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

TEST_F(HttpListenersTest, BusyPort_IsAnError_EvenWhenItsOwnerWouldShareIt) {
  Start({}, 2);
  auto other = HttpServer::Create({.loop_count = 2}, pool_, clock_);
  ListenerOptions options;
  options.port = port_;
  EXPECT_FALSE((*other)->AddListener(options, handler_).ok());
}

TEST_F(HttpListenersTest, ReusePort_SharesThePort) {
  ListenerOptions options;
  options.reuse_port = true;
  auto first = HttpServer::Create({.loop_count = 2}, pool_, clock_);
  auto port = (*first)->AddListener(options, handler_);
  ASSERT_TRUE(port.ok());
  options.port = *port;
  auto second = HttpServer::Create({.loop_count = 2}, pool_, clock_);
  EXPECT_TRUE((*second)->AddListener(options, handler_).ok());
}

TEST_F(HttpListenersTest, Address_MustBeNumeric) {
  Start();
  ListenerOptions options;
  options.address = "localhost";
  EXPECT_EQ(server_->AddListener(options, handler_).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(HttpListenersTest, Collect_WritesTheCountersOfEachListener) {
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

// Answers in pieces, over both versions of HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <string>
#include <utility>

#include "net/testing/http2_client.h"
#include "net/testing/raw_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

using testing::HasSubstr;

constexpr std::string_view kGet = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n";

class HttpStreamTest : public ServerFixture {
 protected:
  // Runs on the exchange's loop, and waits for it.
  static void OnLoop(HttpExchange& exchange, const std::function<void(HttpExchange&)>& action) {
    std::promise<void> done;
    exchange.loop().PostFunction([&] {
      action(exchange);
      done.set_value();
    });
    done.get_future().wait();
  }
  static void Begin(HttpExchange& exchange) {
    OnLoop(exchange, [](HttpExchange& on) {
      HttpResponse head;
      head.status = 202;
      head.content_type = "text/event-stream";
      head.extra_headers = "X-A: b\r\n";
      on.BeginStream(std::move(head));
    });
  }
  static void Send(HttpExchange& exchange, std::string_view piece) {
    OnLoop(exchange, [piece](HttpExchange& on) { on.SendPiece(Buffer::CopyOf(piece)); });
  }
  static void End(HttpExchange& exchange) {
    OnLoop(exchange, [](HttpExchange& on) { on.EndStream(); });
  }
  static std::uint64_t Unsent(HttpExchange& exchange) {
    std::uint64_t unsent = 0;
    OnLoop(exchange, [&](HttpExchange& on) { unsent = on.unsent_byte_size(); });
    return unsent;
  }
  // A client that does not read, with much for it.
  void Clog(HttpExchange& exchange) {
    Begin(exchange);
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 16; ++i) {
      Send(exchange, piece);
    }
    Settle();
  }
};

TEST_F(HttpStreamTest, Pieces_ArriveBeforeTheEnd_AndTheConnectionIsKept) {
  Start();
  RawClient client(port_);
  // The second request waits behind the first.
  ASSERT_TRUE(client.Send(std::string(kGet) + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Begin(*exchange);
  const RawResponse head = client.ReadResponse(true);
  EXPECT_EQ(head.status, 202);
  EXPECT_TRUE(head.Has("\r\nContent-Type: text/event-stream\r\nX-A: b\r\n"));
  EXPECT_TRUE(head.Has("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_FALSE(head.Has("Content-Length"));
  Send(*exchange, "hello");
  EXPECT_EQ(client.ReadBytes(10), "5\r\nhello\r\n");
  Send(*exchange, "");
  Send(*exchange, "more");
  EXPECT_EQ(client.ReadBytes(9), "4\r\nmore\r\n");
  EXPECT_EQ(Unsent(*exchange), 0u);
  EXPECT_FALSE(exchange->cancelled());
  End(*exchange);
  EXPECT_EQ(client.ReadBytes(5), "0\r\n\r\n");
  EXPECT_EQ(client.ReadResponse().body, "/next:");
  Send(*exchange, "late");
  End(*exchange);
  ASSERT_TRUE(client.Send("GET /third HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(client.ReadResponse().body, "/third:");
  EXPECT_EQ(counters().responses, 3u);
  EXPECT_EQ(counters().cancelled, 0u);
}

TEST_F(HttpStreamTest, OldClient_GetsTheBodyUpToTheClose) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send("GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Begin(*exchange);
  Send(*exchange, "plain");
  End(*exchange);
  const RawResponse head = client.ReadResponse(true);
  EXPECT_TRUE(head.Has("Connection: close\r\n"));
  EXPECT_FALSE(head.Has("Transfer-Encoding"));
  EXPECT_EQ(client.ReadBytes(100), "plain");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpStreamTest, ClientThatIsGone_CancelsTheRequest) {
  Start();
  for (const bool reset : {true, false}) {
    RawClient client(port_);
    ASSERT_TRUE(client.Send(kGet));
    const HttpExchangeRef exchange = handler_.WaitHeld();
    Begin(*exchange);
    EXPECT_EQ(client.ReadResponse(true).status, 202);
    // A reset tells at once; after a close it is the probe that brings one.
    reset ? client.Reset() : client.Close();
    for (int i = 0; i < 1000 && !exchange->cancelled(); ++i) {
      Settle();
    }
    EXPECT_TRUE(exchange->cancelled()) << reset;
    Send(*exchange, "nobody");
    End(*exchange);
  }
  EXPECT_EQ(counters().cancelled, 2u);
}

TEST_F(HttpStreamTest, HalfClosedClient_GetsItsAnswer) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send(kGet));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Begin(*exchange);
  EXPECT_EQ(client.ReadResponse(true).status, 202);
  client.HalfClose();
  EXPECT_EQ(client.ReadBytes(1), "0");  // the probe
  Send(*exchange, "still");
  EXPECT_EQ(client.ReadBytes(10), "5\r\nstill\r\n");
  End(*exchange);
  EXPECT_THAT(client.ReadBytes(6), HasSubstr("0\r\n\r\n"));
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(counters().cancelled, 0u);
}

TEST_F(HttpStreamTest, ClientThatDoesNotRead_IsSeen_AndCutOff) {
  Start();
  RawClient client(port_, 4096);
  ASSERT_TRUE(client.Send(kGet));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Clog(*exchange);
  EXPECT_GT(Unsent(*exchange), 1u << 20);
  Advance(HttpLimits().write_idle_timeout + kSecond);
  Settle();
  EXPECT_TRUE(exchange->cancelled());
  EXPECT_EQ(Unsent(*exchange), 0u);
  EXPECT_EQ(counters().timeouts, 1u);
}

TEST_F(HttpStreamTest, ClientThatReadsLate_GetsAllOfIt) {
  Start();
  RawClient client(port_, 4096);
  ASSERT_TRUE(client.Send(kGet));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Clog(*exchange);
  End(*exchange);
  EXPECT_EQ(client.ReadResponse(true).status, 202);
  const std::string chunk = "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
  for (int i = 0; i < 16; ++i) {
    ASSERT_EQ(client.ReadBytes(chunk.size()), chunk) << i;
  }
  EXPECT_EQ(client.ReadBytes(5), "0\r\n\r\n");
  ASSERT_TRUE(client.Send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(client.ReadResponse().body, "/next:");
}

TEST_F(HttpStreamTest, Http2_SendsThePiecesAsData) {
  Start();
  Http2Client client(port_);
  const std::int32_t id = client.Start("GET", "/hold", {}, std::nullopt);
  ASSERT_TRUE(client.WaitSent(id));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Begin(*exchange);
  Send(*exchange, "one");
  Send(*exchange, "two");
  End(*exchange);
  const Http2Answer& answer = client.Wait(id);
  EXPECT_EQ(answer.headers.at(":status"), "202");
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
  EXPECT_EQ(answer.headers.at("x-a"), "b");
  EXPECT_EQ(answer.headers.count("content-length"), 0u);
  EXPECT_EQ(answer.headers.count("transfer-encoding"), 0u);
  EXPECT_EQ(answer.body, "onetwo");
  EXPECT_EQ(answer.error_code, NGHTTP2_NO_ERROR);
  EXPECT_EQ(client.Call("GET", "/next").body, "/next:");
}

TEST_F(HttpStreamTest, Http2_ClosedWindowIsSeen_AndResetCancels) {
  Start();
  Http2Client client(port_, 1000, false);
  const std::int32_t id = client.Start("GET", "/hold", {}, std::nullopt);
  ASSERT_TRUE(client.WaitSent(id));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Begin(*exchange);
  Send(*exchange, std::string(5000, 'x'));
  Settle();
  EXPECT_EQ(Unsent(*exchange), 4000u);
  Advance(HttpLimits().write_idle_timeout + kSecond);
  EXPECT_TRUE(exchange->cancelled());
  EXPECT_EQ(Unsent(*exchange), 0u);
  EXPECT_EQ(client.Wait(id).error_code, NGHTTP2_CANCEL);
}

TEST_F(HttpStreamTest, Head_HasNoBody) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send("HEAD /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
  const HttpExchangeRef exchange = handler_.WaitHeld();
  Begin(*exchange);
  Send(*exchange, "none");
  End(*exchange);
  EXPECT_EQ(client.ReadResponse(true).status, 202);
  ASSERT_TRUE(client.Send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(client.ReadResponse().body, "/next:");
  Http2Client modern(port_);
  const std::int32_t id = modern.Start("HEAD", "/hold", {}, std::nullopt);
  ASSERT_TRUE(modern.WaitSent(id));
  const HttpExchangeRef other = handler_.WaitHeld();
  Begin(*other);
  Send(*other, "none");
  End(*other);
  EXPECT_EQ(modern.Wait(id).body, "");
  EXPECT_EQ(modern.Wait(id).headers.at(":status"), "202");
}

}  // namespace
}  // namespace headrace::net

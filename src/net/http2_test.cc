// HTTP/2: the handlers of HTTP/1.1 over streams, limits, and what floods do.
#include <gtest/gtest.h>

#include <string>

#include "net/testing/http2_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

class Http2Test : public ServerFixture {
 protected:
  std::uint64_t Abuses() {
    telemetry::PrometheusWriter writer;
    server_->Collect(writer);
    const std::string page = writer.Take();
    std::uint64_t total = 0;
    constexpr std::string_view kName = "headrace_http2_abuses_total{";
    for (std::size_t at = page.find(kName); at != std::string::npos;
         at = page.find(kName, at + 1)) {
      total += std::stoul(page.substr(page.find("} ", at) + 2));
    }
    return total;
  }
};

TEST_F(Http2Test, Request_IsAnsweredOverAStream) {
  Start();
  Http2Client client(port_);
  const Http2Answer& answer = client.Call("POST", "/echo?x=1", {}, "body");
  EXPECT_EQ(answer.headers.at(":status"), "200");
  EXPECT_EQ(answer.headers.at("content-length"), "14");
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_EQ(answer.body, "/echo?x=1:body");
  EXPECT_EQ(answer.error_code, NGHTTP2_NO_ERROR);
  EXPECT_EQ(counters().requests, 1u);
  EXPECT_EQ(counters().responses, 1u);
  EXPECT_EQ(counters().http2_connections, 1u);
}

TEST_F(Http2Test, OnePort_SpeaksBothProtocols) {
  Start();
  RawClient old(port_);
  ASSERT_TRUE(old.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_EQ(old.ReadResponse().body, "/a:");
  Http2Client client(port_);
  EXPECT_EQ(client.Call("GET", "/b").body, "/b:");
}

TEST_F(Http2Test, Preface_IsFoundInPieces) {
  Start();
  RawClient client(port_);
  for (const char c : std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) {
    ASSERT_TRUE(client.Send({&c, 1}));
    Settle();
  }
  ASSERT_TRUE(client.Send(std::string("\0\0\0\4\0\0\0\0\0", 9)));
  // The server's SETTINGS frame.
  EXPECT_EQ(client.ReadBytes(4)[3], NGHTTP2_SETTINGS);
  RawClient other(port_);
  ASSERT_TRUE(other.Send("P"));
  Settle();
  ASSERT_TRUE(other.Send("OST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"));
  EXPECT_EQ(other.ReadResponse().body, "/a:x");
}

TEST_F(Http2Test, LargeBody_ComesInOnePieceAndAligned) {
  handler_.aligned_offset = 10;
  Start();
  Http2Client client(port_);
  std::string body(3'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) {
    body[i] = static_cast<char>('a' + i % 23);
  }
  const std::string length = std::to_string(body.size());
  const std::int32_t id = client.Start("POST", "/hold", {{"content-length", length}}, body);
  ASSERT_TRUE(client.WaitSent(id));
  const HttpExchangeRef held = handler_.WaitHeld();
  EXPECT_EQ(held->body().view(), body);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(held->body().data() + 10) % 64, 0u);
  EchoHandler::AnswerFromOutside(held);
  EXPECT_EQ(client.Wait(id).body, "/hold:" + body);
}

TEST_F(Http2Test, Responses_OfManyStreamsInterleave) {
  Start();
  Http2Client client(port_);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 50; ++i) {
    ids.push_back(client.Start("GET", "/large/" + std::to_string(20'000 + i), {}, std::nullopt));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.Wait(ids[static_cast<std::size_t>(i)]).body.size(), 20'000u + i);
  }
}

// A client with room for everything sends no window updates that would make the server look again.
TEST_F(Http2Test, LargeAnswers_GoOut_WhenOnlyTheSocketHoldsThemUp) {
  Start();
  Http2Client client(port_, INT32_MAX);
  nghttp2_session_set_local_window_size(client.session(), NGHTTP2_FLAG_NONE, 0, INT32_MAX);
  const nghttp2_settings_entry frames{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20};
  nghttp2_submit_settings(client.session(), NGHTTP2_FLAG_NONE, &frames, 1);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 16; ++i) {
    ids.push_back(client.Start("GET", "/large/" + std::to_string(2'000'000 + i), {}, std::nullopt));
  }
  Settle();
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(client.Wait(ids[static_cast<std::size_t>(i)]).body.size(), 2'000'000u + i);
  }
}

TEST_F(Http2Test, Refusals_EndTheStreamOnly) {
  handler_.body_byte_size_max = 1000;
  Start();
  Http2Client client(port_);
  EXPECT_EQ(client.Call("POST", "/refuse", {}, "x").headers.at(":status"), "404");
  EXPECT_EQ(client.Call("POST", "/refuse", {}, "x").headers.at("x-why"), "test");
  EXPECT_EQ(client.Call("POST", "/a", {}, std::string(1001, 'x')).headers.at(":status"), "413");
  EXPECT_EQ(client.Call("POST", "/a", {{"content-length", "2000"}}, std::string(2000, 'x'))
                .headers.at(":status"),
            "413");
  EXPECT_EQ(client.Call("GET", "/" + std::string(9000, 'x')).headers.at(":status"), "414");
  EXPECT_EQ(client.Call("GET", "/a", {{"big", std::string(20'000, 'x')}}).headers.at(":status"),
            "431");
  EXPECT_EQ(client.Call("HEAD", "/a").body, "");
  EXPECT_EQ(client.Call("GET", "/a").body, "/a:");
  EXPECT_EQ(counters().connections_open, 1u);
}

TEST_F(Http2Test, Reset_CancelsTheRequest) {
  Start();
  Http2Client client(port_);
  const std::int32_t id = client.Start("GET", "/hold", {}, std::nullopt);
  const HttpExchangeRef held = handler_.WaitHeld();
  EXPECT_FALSE(held->cancelled());
  client.Reset(id);
  EXPECT_EQ(client.Call("GET", "/a").body, "/a:");
  EXPECT_TRUE(held->cancelled());
  EchoHandler::AnswerFromOutside(held);
  Settle();
  EXPECT_EQ(counters().cancelled, 1u);
}

TEST_F(Http2Test, ClosedConnection_CancelsItsRequests) {
  Start();
  HttpExchangeRef held;
  {
    Http2Client client(port_);
    client.Start("GET", "/hold", {}, std::nullopt);
    held = handler_.WaitHeld();
  }
  Settle();
  EXPECT_TRUE(held->cancelled());
  EXPECT_EQ(counters().connections_open, 0u);
}

TEST_F(Http2Test, TooManyStreams_AreRefusedAndCanBeTriedAgain) {
  ListenerOptions options;
  options.http2.concurrent_streams_max = 10;
  StartListener(options);
  Http2Client client(port_);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(client.Start("GET", "/hold", {}, std::nullopt));
  }
  // A client that does not wait for room: GET / on stream 21.
  using std::string_literals::operator""s;
  ASSERT_TRUE(client.socket().Send("\0\0\x0e\1\5\0\0\0\x15\x82\x86\x84\x01\x09localhost"s));
  Settle();
  Settle();
  EXPECT_EQ(counters().refused_streams, 1u);
  EXPECT_EQ(counters().connections_open, 1u);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(handler_.WaitHeld()->cancelled());
  }
}

TEST_F(Http2Test, RapidReset_EndsTheConnection) {
  ListenerOptions options;
  options.http2.reset_burst = 100;
  StartListener(options);
  Http2Client client(port_);
  for (int i = 0; i < 150; ++i) {
    client.Reset(client.Start("GET", "/hold", {}, std::nullopt));
  }
  EXPECT_TRUE(client.WaitEnd());
  EXPECT_EQ(client.goaway(), NGHTTP2_ENHANCE_YOUR_CALM);
  client.socket().Close();
  Settle();
  EXPECT_EQ(Abuses(), 1u);
  EXPECT_EQ(counters().connections_open, 0u);
  EXPECT_EQ(counters().requests, counters().responses + counters().cancelled);
}

TEST_F(Http2Test, ResetsAtAModestRate_AreNoAbuse) {
  ListenerOptions options;
  options.http2.reset_burst = 20;
  options.http2.resets_per_second = 10;
  StartListener(options);
  Http2Client client(port_);
  for (int i = 0; i < 60; ++i) {
    client.Reset(client.Start("GET", "/hold", {}, std::nullopt));
    handler_.WaitHeld();
    Advance(kSecond / 5);
  }
  EXPECT_EQ(client.Call("GET", "/a").body, "/a:");
}

TEST_F(Http2Test, ControlFrameFlood_EndsTheConnection) {
  ListenerOptions options;
  options.http2.control_frame_burst = 50;
  StartListener(options);
  Http2Client client(port_);
  EXPECT_EQ(client.Call("GET", "/a").body, "/a:");
  std::string flood;
  for (int i = 0; i < 500; ++i) {
    flood += std::string("\0\0\5\2\0\0\0\0\3\0\0\0\0\x0f", 14);  // PRIORITY
  }
  ASSERT_TRUE(client.socket().Send(flood));
  EXPECT_TRUE(client.WaitEnd());
  EXPECT_EQ(client.goaway(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(Abuses(), 1u);
}

TEST_F(Http2Test, PingStrikes_EndTheConnectionAsGrpcDoes) {
  Start();
  Http2Client client(port_);
  client.Start("GET", "/hold", {}, std::nullopt);
  handler_.WaitHeld();
  for (int i = 0; i < 3; ++i) {
    client.Ping();
    EXPECT_TRUE(client.ReadUntil([&] { return client.ping_answers() == i + 1; }));
    Advance(kSecond);
  }
  client.Ping();
  EXPECT_TRUE(client.WaitEnd());
  EXPECT_EQ(client.goaway(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(client.goaway_text(), "too_many_pings");
}

TEST_F(Http2Test, PingsAfterData_AreNoStrikes) {
  Start();
  Http2Client client(port_);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(client.Call("GET", "/a").body, "/a:");
    client.Ping();
    EXPECT_TRUE(client.ReadUntil([&] { return client.ping_answers() == i + 1; }));
  }
}

TEST_F(Http2Test, SilentConnection_IsCutAfterTheTimeOfAHead) {
  Start();
  RawClient client(port_);
  ASSERT_TRUE(client.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  Advance(9 * kSecond);
  EXPECT_EQ(counters().connections_open, 1u);
  Advance(2 * kSecond);
  EXPECT_EQ(counters().connections_open, 0u);
}

TEST_F(Http2Test, IdleConnection_IsToldAndClosed) {
  Start();
  Http2Client client(port_);
  EXPECT_EQ(client.Call("GET", "/a").body, "/a:");
  Advance(301 * kSecond);
  EXPECT_TRUE(client.WaitEnd());
  EXPECT_EQ(client.goaway(), NGHTTP2_NO_ERROR);
}

TEST_F(Http2Test, StalledBody_IsCut) {
  Start();
  Http2Client client(port_);
  const std::int32_t id = client.Start("POST", "/a", {}, "part", true);
  client.Call("GET", "/b");
  Advance(16 * kSecond);
  EXPECT_TRUE(client.ReadUntil([&] { return !client.answer(id).body.empty(); }));
  EXPECT_EQ(client.answer(id).headers.at(":status"), "408");
  EXPECT_EQ(counters().timeouts, 1u);
}

TEST_F(Http2Test, StalledReader_LosesItsStreamOnly) {
  Start();
  Http2Client client(port_, 1000, false);
  const std::int32_t id = client.Start("GET", "/large/100000", {}, std::nullopt);
  EXPECT_TRUE(client.ReadUntil([&] { return client.answer(id).body.size() == 1000; }));
  Advance(31 * kSecond);
  EXPECT_EQ(client.Wait(id).error_code, NGHTTP2_CANCEL);
  EXPECT_EQ(client.Call("GET", "/a").body, "/a:");
}

TEST_F(Http2Test, Keepalive_PingsASilentPeerAndDropsADeadOne) {
  ListenerOptions options;
  options.http2.keepalive_time = 10 * kSecond;
  options.http2.keepalive_timeout = 5 * kSecond;
  options.http2.pings_without_data_max = 0;
  StartListener(options);
  Http2Client client(port_);
  client.Start("GET", "/hold", {}, std::nullopt);
  const HttpExchangeRef held = handler_.WaitHeld();
  Advance(10 * kSecond);
  EXPECT_TRUE(client.ReadUntil([&] { return client.pings() == 1; }));
  client.Flush();
  Advance(5 * kSecond);
  EXPECT_EQ(counters().connections_open, 1u);  // it has answered
  for (int i = 0; i < 4 && counters().connections_open == 1; ++i) {
    Advance(10 * kSecond);  // it reads nothing any more
    Advance(5 * kSecond);
  }
  EXPECT_EQ(counters().connections_open, 0u);
  EXPECT_TRUE(held->cancelled());
}

TEST_F(Http2Test, OldConnection_FinishesItsStreamsAndEnds) {
  ListenerOptions options;
  options.http2.connection_age_max = 100 * kSecond;
  options.http2.connection_age_grace = 50 * kSecond;
  StartListener(options);
  Http2Client client(port_);
  const std::int32_t id = client.Start("GET", "/hold", {}, std::nullopt);
  const HttpExchangeRef held = handler_.WaitHeld();
  Advance(111 * kSecond);
  EXPECT_TRUE(client.ReadUntil([&] { return client.goaway().has_value(); }));
  EchoHandler::AnswerFromOutside(held);
  EXPECT_EQ(client.Wait(id).body, "/hold:");
  EXPECT_TRUE(client.WaitEnd());
}

TEST_F(Http2Test, OldConnection_IsCutBehindItsGrace) {
  ListenerOptions options;
  options.http2.connection_age_max = 100 * kSecond;
  options.http2.connection_age_grace = 50 * kSecond;
  StartListener(options);
  Http2Client client(port_);
  client.Start("GET", "/hold", {}, std::nullopt);
  const HttpExchangeRef held = handler_.WaitHeld();
  Advance(111 * kSecond);
  Advance(51 * kSecond);
  EXPECT_TRUE(held->cancelled());
  EXPECT_EQ(counters().connections_open, 0u);
}

TEST_F(Http2Test, Drain_AnswersWhatIsInWork) {
  Start();
  Http2Client idle(port_);
  Http2Client client(port_);
  const std::int32_t id = client.Start("GET", "/hold", {}, std::nullopt);
  const HttpExchangeRef held = handler_.WaitHeld();
  server_->StopAccepting();
  std::thread drain([this] { EXPECT_TRUE(server_->DrainConnections(20 * kSecond)); });
  EXPECT_TRUE(client.ReadUntil([&] { return client.goaway().has_value(); }));
  EchoHandler::AnswerFromOutside(held);
  EXPECT_EQ(client.Wait(id).body, "/hold:");
  EXPECT_TRUE(client.WaitEnd());
  client.socket().Close();
  EXPECT_TRUE(idle.WaitEnd());
  idle.socket().Close();
  drain.join();
}

TEST_F(Http2Test, GrpcPort_SpeaksNoHttp1) {
  Start();
  ListenerOptions options;
  options.name = "grpc";
  auto port = server_->AddGrpcListener(options, grpc_);
  ASSERT_TRUE(port.ok());
  RawClient old(*port);
  ASSERT_TRUE(old.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_NE(old.ReadBytes(9).substr(0, 4), "HTTP");
  Http2Client client(*port);
  EXPECT_EQ(client.Call("GET", "/a").headers.at(":status"), "415");
  EXPECT_EQ(client.Call("POST", "/test.Echo/Unary", GrpcHeaders(), GrpcFrame("x")).status(), "0");
}

}  // namespace
}  // namespace headrace::net

#include "load/http_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "load/testing/stub_server.h"

namespace headrace::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What the transport said of one request.
struct Told {
  Nanos sent = 0;
  bool cold = false;
  int response_count = 0;
  bool done = false;
  Outcome outcome{};
  std::uint32_t wire_status = 0;
};

class Sink final : public CompletionSink {
 public:
  void OnSent(std::uint32_t slot, Nanos when, bool cold) override {
    told.at(slot).sent = when;
    told[slot].cold = cold;
  }
  void OnResponse(std::uint32_t slot, Nanos) override { ++told.at(slot).response_count; }
  void OnDone(std::uint32_t slot, Nanos, Outcome outcome, std::uint32_t wire_status) override {
    ASSERT_FALSE(told.at(slot).done) << "ended twice";
    told[slot].done = true;
    told[slot].outcome = outcome;
    told[slot].wire_status = wire_status;
  }
  std::vector<Told> told;
};

// A transport to a stub server, driven by the test's own thread.
class HttpTransportTest : public ::testing::Test {
 protected:
  HttpTransportTest() : poller_(std::move(Poller::Make()).value()) {
    workload_.items.resize(1);
    workload_.items[0].name = "item";
    workload_.items[0].contents.resize(1);
    SetBody("question");
    target_.protocol = Protocol::kRawHttp;
    target_.path = "/x";
  }

  void SetBody(std::string body) {
    workload_.items[0].contents[0].body = std::make_shared<const std::string>(std::move(body));
  }
  void Serve(StubServer::Handler handler, const std::string& unix_path = "") {
    server_ = std::make_unique<StubServer>(std::move(handler), unix_path);
    target_.port = server_->port();
    target_.unix_socket = unix_path;
  }
  void ServeAlways(std::string bytes, bool close = false) {
    Serve([bytes, close](const StubRequest&) {
      return StubReply{.bytes = bytes, .delay = 0, .close = close, .reset = false};
    });
  }
  Status Connect(int connections = 1) {
    auto factory = MakeHttpTransportFactory(target_, workload_);
    if (!factory.ok()) {
      return factory.status();
    }
    factory_ = *std::move(factory);
    transport_ = factory_->Make();
    return transport_->Connect(poller_, sink_, connections);
  }
  std::uint32_t Send(Nanos timeout_at = kNever) {
    Outgoing request;
    request.slot = static_cast<std::uint32_t>(sink_.told.size());
    request.timeout_at = timeout_at;
    sink_.told.emplace_back();
    transport_->Send(request);
    return request.slot;
  }
  const Told& WaitFor(std::uint32_t slot) {
    transport_->Flush();
    while (!sink_.told[slot].done) {
      poller_.Poll(kNever);
      transport_->Flush();
    }
    return sink_.told[slot];
  }
  Told Ask() { return WaitFor(Send()); }

  Workload workload_;
  TargetSpec target_;
  std::unique_ptr<StubServer> server_;
  Poller poller_;
  Sink sink_;
  std::unique_ptr<TransportFactory> factory_;
  std::unique_ptr<Transport> transport_;
};

TEST_F(HttpTransportTest, KeepsItsConnection_AndOnlyTheFirstRequestIsCold) {
  ServeAlways(HttpAnswer(200, "answer"));
  ASSERT_TRUE(Connect().ok());
  for (int i = 0; i < 3; ++i) {
    const Told told = Ask();
    EXPECT_EQ(told.outcome, Outcome::kOk);
    EXPECT_EQ(told.wire_status, 200U);
    EXPECT_EQ(told.cold, i == 0);
    EXPECT_EQ(told.response_count, 0);
  }
  EXPECT_EQ(server_->connection_count(), 1);
  EXPECT_EQ(server_->requests()[2].body, "question");
  EXPECT_THAT(server_->requests()[2].head, StartsWith("POST /x HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST_F(HttpTransportTest, Outcomes_FollowTheStatus) {
  int status = 0;
  Serve([&](const StubRequest&) { return StubReply{HttpAnswer(status, "{}")}; });
  ASSERT_TRUE(Connect().ok());
  for (const auto& [code, outcome] : {std::pair{200, Outcome::kOk},
                                      {201, Outcome::kOk},
                                      {429, Outcome::kRefused},
                                      {503, Outcome::kRefused},
                                      {400, Outcome::kClientError},
                                      {404, Outcome::kClientError},
                                      {302, Outcome::kClientError},
                                      {500, Outcome::kServerError},
                                      {504, Outcome::kServerError}}) {
    status = code;
    const Told told = Ask();
    EXPECT_EQ(told.outcome, outcome) << code;
    EXPECT_EQ(told.wire_status, static_cast<std::uint32_t>(code));
  }
}

TEST_F(HttpTransportTest, Pool_GrowsToItsMaximum_ThenRequestsWait) {
  Serve([](const StubRequest& request) {
    return StubReply{.bytes = HttpAnswer(200, "x"), .delay = kMillisecond};
  });
  target_.connections_max = 3;
  ASSERT_TRUE(Connect().ok());
  for (int i = 0; i < 8; ++i) {
    Send();
    transport_->Flush();
  }
  for (std::uint32_t slot = 0; slot < 8; ++slot) {
    EXPECT_EQ(WaitFor(slot).outcome, Outcome::kOk);
  }
  EXPECT_EQ(server_->connection_count(), 3);
  EXPECT_EQ(transport_->waited_count(), 5U);
}

TEST_F(HttpTransportTest, ClosedByTheServer_IsAReset_AndIsNotRepeated) {
  Serve([](const StubRequest& request) {
    return request.number == 1 ? StubReply{.bytes = "", .close = true}
                               : StubReply{HttpAnswer(200, "x")};
  });
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
  const Told reset = Ask();
  EXPECT_EQ(reset.outcome, Outcome::kReset);
  EXPECT_FALSE(reset.cold);
  const Told again = Ask();
  EXPECT_EQ(again.outcome, Outcome::kOk);
  EXPECT_TRUE(again.cold);
  EXPECT_EQ(server_->requests().size(), 3U);
}

TEST_F(HttpTransportTest, CutAnswers_AreResets) {
  std::string bytes;
  Serve([&](const StubRequest& request) {
    return StubReply{.bytes = bytes, .close = true, .reset = request.number % 2 == 1};
  });
  ASSERT_TRUE(Connect().ok());
  for (const std::string cut : {"HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"}) {
    bytes = cut;
    EXPECT_EQ(Ask().outcome, Outcome::kReset) << cut;
    EXPECT_EQ(Ask().outcome, Outcome::kReset) << cut;
  }
}

TEST_F(HttpTransportTest, BrokenAnswers_AreMalformed) {
  std::string bytes;
  Serve([&](const StubRequest&) { return StubReply{bytes}; });
  ASSERT_TRUE(Connect().ok());
  for (const std::string broken :
       {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    bytes = broken;
    EXPECT_EQ(Ask().outcome, Outcome::kMalformed) << broken;
  }
}

TEST_F(HttpTransportTest, ConnectionClose_IsKept_AndAnotherIsOpened) {
  ServeAlways(HttpAnswer(200, "x", "Connection: close\r\n"), true);
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
  EXPECT_EQ(server_->connection_count(), 2);
}

TEST_F(HttpTransportTest, AnswerWithoutALength_EndsWithItsConnection) {
  ServeAlways("HTTP/1.1 200 OK\r\n\r\nsome text", true);
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
}

TEST_F(HttpTransportTest, InterimAnswers_ArePassedOver) {
  ServeAlways("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
              HttpAnswer(201, "x"));
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().wire_status, 201U);
  EXPECT_EQ(Ask().wire_status, 201U);
  EXPECT_EQ(server_->connection_count(), 1);
}

TEST_F(HttpTransportTest, LargeBodies_GoBothWays) {
  SetBody(std::string(3'000'000, 'q'));
  Serve([](const StubRequest& request) {
    return StubReply{HttpAnswer(200, std::string(request.body.size() + 1, 'a'))};
  });
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
  EXPECT_EQ(server_->connection_count(), 1);
  EXPECT_EQ(server_->requests()[1].body, std::string(3'000'000, 'q'));
}

TEST_F(HttpTransportTest, ChunkedAnswer_IsOneResponse) {
  ServeAlways(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().response_count, 0);
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
}

TEST_F(HttpTransportTest, TorchServesChunks_AreResponsesOfAStream) {
  target_.protocol = Protocol::kTorchServe;
  ServeAlways(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().response_count, 2);
  EXPECT_EQ(Ask().response_count, 2);
}

TEST_F(HttpTransportTest, ServerSentEvents_AreCounted) {
  const std::string events = "data: {\"a\":1}\n\n: comment\n\ndata: {\"a\":2}\n\n";
  ServeAlways(HttpAnswer(200, events, "Content-Type: text/event-stream; charset=utf-8\r\n"));
  ASSERT_TRUE(Connect().ok());
  const Told told = Ask();
  EXPECT_EQ(told.response_count, 2);
  EXPECT_EQ(told.outcome, Outcome::kOk);
}

TEST_F(HttpTransportTest, ServerSentError_IsAServerError) {
  ServeAlways(HttpAnswer(200, "data: {\"a\":1}\n\ndata: {\"error\":\"x\"}\n\n",
                         "Content-Type: text/event-stream\r\n"));
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().outcome, Outcome::kServerError);
}

TEST_F(HttpTransportTest, Expire_EndsWhatIsPastItsTime_OnTheWireAndBeforeIt) {
  target_.connections_max = 1;
  Serve([](const StubRequest& request) {
    return request.number == 0 ? StubReply{.bytes = HttpAnswer(200, "late"), .delay = kNever / 4}
                               : StubReply{HttpAnswer(200, "x")};
  });
  ASSERT_TRUE(Connect().ok());
  const std::uint32_t out = Send(1000);
  const std::uint32_t waits = Send(1000);
  const std::uint32_t stays = Send();
  transport_->Flush();
  transport_->Expire(999);
  EXPECT_FALSE(sink_.told[out].done);
  server_->WaitForRequests(1);
  transport_->Expire(1000);
  EXPECT_EQ(sink_.told[out].outcome, Outcome::kTimeout);
  EXPECT_EQ(sink_.told[waits].outcome, Outcome::kTimeout);
  EXPECT_TRUE(sink_.told[waits].done);
  // The connection whose answer is owed is not used again.
  EXPECT_EQ(WaitFor(stays).outcome, Outcome::kOk);
  EXPECT_EQ(server_->connection_count(), 2);
}

TEST_F(HttpTransportTest, Abandon_EndsEverythingWithTimeout) {
  target_.connections_max = 2;
  Serve([](const StubRequest&) { return StubReply{.bytes = "", .delay = kNever / 4}; });
  ASSERT_TRUE(Connect(2).ok());
  for (int i = 0; i < 4; ++i) {
    Send();
  }
  transport_->Flush();
  Send();  // not even written
  transport_->Abandon();
  for (const Told& told : sink_.told) {
    EXPECT_TRUE(told.done);
    EXPECT_EQ(told.outcome, Outcome::kTimeout);
  }
}

TEST_F(HttpTransportTest, Connect_NamesTheAddressAndTheReason_WhenNobodyListens) {
  ServeAlways("");
  server_.reset();  // its port is free again
  const Status status = Connect();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("127.0.0.1:" + std::to_string(target_.port)));
  EXPECT_THAT(status.message(), HasSubstr("Connection refused"));
}

TEST_F(HttpTransportTest, DeadServer_MakesConnectFailures_AndALivingOneAnswersAgain) {
  const std::string path = ::testing::TempDir() + "load." + std::to_string(::getpid()) + ".sock";
  ::unlink(path.c_str());
  const auto handler = [](const StubRequest&) { return StubReply{HttpAnswer(200, "x")}; };
  Serve(handler, path);
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
  server_.reset();
  Outcome outcome = Ask().outcome;
  EXPECT_TRUE(outcome == Outcome::kReset || outcome == Outcome::kConnect);
  EXPECT_EQ(Ask().outcome, Outcome::kConnect);
  ::unlink(path.c_str());
  Serve(handler, path);
  EXPECT_EQ(Ask().outcome, Outcome::kOk);
  ::unlink(path.c_str());
}

TEST_F(HttpTransportTest, UnknownHost_IsUnavailable) {
  target_.host = "no-such-host.invalid";
  EXPECT_EQ(Connect().code(), StatusCode::kUnavailable);
}

TEST_F(HttpTransportTest, RequestIds_Differ) {
  target_.request_ids = true;
  ServeAlways(HttpAnswer(200, "x"));
  ASSERT_TRUE(Connect().ok());
  Ask();
  Ask();
  std::vector<std::string> ids;
  for (const StubRequest& request : server_->requests()) {
    const std::size_t at = request.head.find("X-Request-Id: ");
    ASSERT_NE(at, std::string::npos);
    ids.push_back(request.head.substr(at + 14, 16));
  }
  EXPECT_NE(ids[0], ids[1]);
}

}  // namespace
}  // namespace headrace::load

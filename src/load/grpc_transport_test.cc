#include "load/grpc_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "load/testing/infer_stub.h"
#include "load/testing/transport_probe.h"
#include "net/testing/server_fixture.h"

namespace headrace::load {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;

TensorContent Numbers(std::size_t count, float first = 1) {
  std::string bytes(count * sizeof(float), '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const float value = first + static_cast<float>(i);
    std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof(float));
  }
  return {"INPUT0",
          DataType::kFp32,
          {1, static_cast<std::int64_t>(count)},
          std::make_shared<const std::string>(std::move(bytes))};
}

class GrpcTransportTest : public testing::Test {
 protected:
  void Use(const std::string& model, std::size_t count = 4) {
    Item item;
    item.name = item.model = model;
    item.contents.emplace_back().inputs = {Numbers(count)};
    workload_.items.push_back(std::move(item));
    target_.protocol = Protocol::kV2Grpc;
  }
  void Golden(TensorContent output) {
    workload_.items[0].contents[0].golden.emplace().outputs = {std::move(output)};
  }
  void StartStub(net::ListenerOptions options = {}) {
    stub_.emplace(std::move(options));
    target_.port = stub_->port();
  }
  Status Connect() {
    auto factory = MakeTransportFactory(target_, workload_);
    if (!factory.ok()) {
      return factory.status();
    }
    factory_ = *std::move(factory);
    probe_ = std::make_unique<TransportProbe>(factory_->Make());
    return probe_->Connect();
  }
  void Start(net::ListenerOptions options = {}) {
    StartStub(std::move(options));
    const Status status = Connect();
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  TargetSpec target_;
  Workload workload_;
  std::optional<InferStub> stub_;
  std::unique_ptr<TransportFactory> factory_;
  std::unique_ptr<TransportProbe> probe_;
};

TEST_F(GrpcTransportTest, Unary_SendsWhatTheWorkloadSays) {
  Use("echo");
  Item& item = workload_.items[0];
  item.parameters = {{"flag", "true"}, {"count", "-3"}, {"share", "0.5"}, {"text", "\"a b\""}};
  item.priority = 7;
  item.timeout_us = 250;
  item.outputs = {"INPUT0"};
  target_.headers = {{"X-Token", "secret"}};
  Start();
  const auto& request = probe_->Ask({.sequence_id = 42, .sequence_start = true});
  EXPECT_EQ(Outcome::kOk, request.outcome);
  EXPECT_EQ(1, request.sent_count);
  EXPECT_EQ(0, request.response_count);
  EXPECT_TRUE(request.cold);
  EXPECT_LE(request.sent, request.done);
  const InferStub::Seen seen = stub_->WaitSeen();
  EXPECT_EQ("/inference.GRPCInferenceService/ModelInfer", seen.path);
  EXPECT_THAT(seen.metadata, Contains(Pair("x-token", "secret")));
  EXPECT_THAT(seen.metadata, Contains(Pair("grpc-timeout", "60000m")));
  const protocol::V2InferRequest& message = seen.request.message;
  EXPECT_FALSE(seen.id.empty());
  EXPECT_EQ(42, message.correlation_id);
  EXPECT_EQ(1, message.sequence_flags);
  EXPECT_EQ(7, message.priority);
  EXPECT_EQ(250, message.timeout_us);
  EXPECT_EQ(4, message.parameters.size());
  ASSERT_EQ(1, message.outputs.size());
  EXPECT_EQ("INPUT0", message.outputs[0].name);
  ASSERT_EQ(1, message.inputs.size());
  EXPECT_EQ(16, message.inputs[0].tensor.byte_size());
  EXPECT_FALSE(probe_->Ask().cold);
  const InferStub::Seen second = stub_->WaitSeen();
  EXPECT_NE(seen.id, second.id);
  EXPECT_EQ(0, second.request.message.correlation_id);
}

TEST_F(GrpcTransportTest, Unary_CarriesLargeTensorsAndManyRequests) {
  Use("echo", 1'000'000);
  Golden(Numbers(1'000'000));
  Start();
  for (int i = 0; i < 8; ++i) {
    probe_->Send();
  }
  probe_->UntilAllDone();
  for (std::uint32_t slot = 0; slot < 8; ++slot) {
    EXPECT_EQ(Outcome::kOk, probe_->request(slot).outcome);
  }
}

TEST_F(GrpcTransportTest, Unary_ComparesGoldenOutputs) {
  Use("echo");
  Golden(Numbers(4));
  workload_.items[0].contents.push_back(workload_.items[0].contents[0]);
  workload_.items[0].contents[1].golden->outputs = {Numbers(4, 2)};
  Start();
  EXPECT_EQ(Outcome::kOk, probe_->Ask().outcome);
  EXPECT_EQ(factory_->FirstFailureText(), "");
  EXPECT_EQ(Outcome::kWrong, probe_->Ask({.content = 1}).outcome);
  EXPECT_THAT(factory_->FirstFailureText(), HasSubstr("'INPUT0'[0]: 1, expected 2"));
}

TEST_F(GrpcTransportTest, Unary_NamesEveryEnd) {
  for (const char* model :
       {"code/3", "code/5", "code/8", "code/13", "code/14", "code/4", "no_message"}) {
    Use(model);
  }
  Start();
  const std::pair<Outcome, std::uint32_t> expected[] = {
      {Outcome::kClientError, 3},  {Outcome::kClientError, 5}, {Outcome::kRefused, 8},
      {Outcome::kServerError, 13}, {Outcome::kRefused, 14},    {Outcome::kTimeout, 4},
      {Outcome::kMalformed, 0}};
  for (std::uint32_t item = 0; item < std::size(expected); ++item) {
    const auto& request = probe_->Ask({.item = item});
    EXPECT_EQ(expected[item].first, request.outcome) << workload_.items[item].model;
    EXPECT_EQ(expected[item].second, request.wire_status) << workload_.items[item].model;
  }
  EXPECT_EQ(factory_->FirstFailureText(), "gRPC INVALID_ARGUMENT: as it was asked for");
}

TEST_F(GrpcTransportTest, Unary_TimesOutAndResets) {
  Use("mute");
  Start();
  const std::uint32_t late = probe_->Send({.timeout_at = Clock::Real().Now() + kMillisecond});
  const std::uint32_t open = probe_->Send();
  probe_->Until([&] { return probe_->request(late).done_count == 1; });
  EXPECT_EQ(Outcome::kTimeout, probe_->request(late).outcome);
  // Seen by the server: at once, or before it has looked at the message.
  probe_->Until([&] { return probe_->request(open).sent_count == 1; });
  probe_->transport().Abandon();
  EXPECT_EQ(Outcome::kTimeout, probe_->request(open).outcome);
}

TEST_F(GrpcTransportTest, Unary_WaitsForStreamsThatTheServerAllows) {
  Use("echo");
  net::ListenerOptions options;
  options.http2.concurrent_streams_max = 2;
  Start(options);
  for (int i = 0; i < 10; ++i) {
    probe_->Send();
  }
  EXPECT_EQ(8, probe_->transport().waited_count());
  probe_->UntilAllDone();
  for (std::uint32_t slot = 0; slot < 10; ++slot) {
    EXPECT_EQ(Outcome::kOk, probe_->request(slot).outcome);
  }
}

TEST_F(GrpcTransportTest, Compressed_MessagesKeepTheirHeads) {
  for (const char* encoding : {"gzip", "deflate"}) {
    workload_.items.clear();
    Use("echo", 3000);
    target_.grpc_compression = encoding;
    Start();
    EXPECT_EQ(Outcome::kOk, probe_->Ask({.sequence_id = UINT32_MAX, .sequence_end = true}).outcome);
    const InferStub::Seen seen = stub_->WaitSeen();
    EXPECT_THAT(seen.metadata, Contains(Pair("grpc-encoding", encoding)));
    EXPECT_EQ(UINT32_MAX, seen.request.message.correlation_id);
    EXPECT_EQ(2, seen.request.message.sequence_flags);
    EXPECT_EQ(12'000, seen.request.message.inputs[0].tensor.byte_size());
  }
}

TEST_F(GrpcTransportTest, Stream_MatchesAnswers) {
  target_.streaming = true;
  Use("echo", 50'000);
  Use("many/3");
  Use("many/0");
  Use("code/13");
  Use("code/14");
  Start();
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t item = 0; item < 5; ++item) {
      probe_->Send({.item = item});
    }
  }
  probe_->UntilAllDone();
  const std::pair<Outcome, int> expected[] = {{Outcome::kOk, 1},
                                              {Outcome::kOk, 3},
                                              {Outcome::kOk, 0},
                                              {Outcome::kServerError, 0},
                                              {Outcome::kRefused, 0}};
  for (std::uint32_t slot = 0; slot < 15; ++slot) {
    const auto& request = probe_->request(slot);
    EXPECT_EQ(expected[slot % 5].first, request.outcome) << slot;
    EXPECT_EQ(expected[slot % 5].second, request.response_count) << slot;
    EXPECT_EQ(1, request.sent_count) << slot;
    EXPECT_EQ(slot == 0, request.cold) << slot;
  }
  EXPECT_TRUE(stub_->WaitSeen().request.wants_empty_final_response);
  EXPECT_EQ(factory_->FirstFailureText(), "as it was asked for");
}

TEST_F(GrpcTransportTest, Stream_TimesOutOneRequestAndGoesOn) {
  target_.streaming = true;
  Use("mute");
  Use("echo");
  Start();
  EXPECT_EQ(Outcome::kTimeout, probe_->Ask({.timeout_at = Clock::Real().Now()}).outcome);
  EXPECT_EQ(Outcome::kOk, probe_->Ask({.item = 1}).outcome);
}

TEST_F(GrpcTransportTest, Connection_IsMadeAgainWhenTheServerIsBack) {
  for (const bool streaming : {false, true}) {
    workload_.items.clear();
    target_.streaming = streaming;
    Use("mute");
    Use("echo");
    Start();
    const std::uint32_t out = probe_->Send();
    (void)probe_->Turn(0);
    stub_->WaitSeen();
    const std::uint16_t port = stub_->port();
    stub_.reset();
    probe_->UntilAllDone();
    EXPECT_EQ(Outcome::kReset, probe_->request(out).outcome);
    EXPECT_EQ(Outcome::kConnect, probe_->Ask({.item = 1}).outcome);
    stub_.emplace(net::ListenerOptions{}, port);
    Outcome outcome = Outcome::kConnect;
    while (outcome == Outcome::kConnect) {
      outcome = probe_->Ask({.item = 1}).outcome;
    }
    EXPECT_EQ(Outcome::kOk, outcome);
    probe_.reset();
    stub_.reset();
  }
}

TEST_F(GrpcTransportTest, Connection_ThatDrainsIsReplaced) {
  Use("echo");
  net::ListenerOptions options;
  options.http2.connection_age_max = kMillisecond;
  Start(options);
  int cold = 0;
  while (cold < 3) {
    // A request may meet two connections that end one after the other: it is sent again only once.
    const auto& request = probe_->Ask();
    ASSERT_TRUE(request.outcome == Outcome::kOk || request.outcome == Outcome::kRefused);
    cold += request.cold && request.outcome == Outcome::kOk ? 1 : 0;
  }
}

TEST_F(GrpcTransportTest, UnixSocket_Works) {
  Use("echo");
  target_.unix_socket = (std::filesystem::temp_directory_path() /
                         ("headrace-load-" + std::to_string(getpid()) + ".sock"))
                            .string();
  net::ListenerOptions options;
  options.address = "unix:" + target_.unix_socket;
  Start(options);
  EXPECT_EQ(Outcome::kOk, probe_->Ask().outcome);
}

TEST_F(GrpcTransportTest, Connect_SaysWhyItCannot) {
  Use("echo");
  {
    StartStub();
    stub_.reset();
  }
  EXPECT_THAT(Connect().ToString(),
              HasSubstr("cannot connect to 127.0.0.1:" + std::to_string(target_.port)));
  net::EchoHandler handler;
  BlockPool pool;
  auto server = *net::HttpServer::Create({}, pool, Clock::Real());
  target_.port = *server->AddListener({}, handler);
  target_.tls.enabled = true;
  target_.tls.verify_peer = false;
  EXPECT_THAT(Connect().ToString(), HasSubstr("TLS with 127.0.0.1:"));
  target_.tls.enabled = false;
  target_.host = "name.invalid";
  EXPECT_THAT(Connect().ToString(), HasSubstr("name.invalid"));
}

// A server that says `answer` to whoever connects.
class FixedAnswer {
 public:
  explicit FixedAnswer(std::string answer) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t byte_size = sizeof(address);
    HEADRACE_CHECK(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), byte_size) == 0 &&
                   ::listen(fd_.get(), 8) == 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &byte_size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const UniqueFd peer(::accept(fd_.get(), nullptr, nullptr));
      ::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      ::shutdown(peer.get(), SHUT_WR);
      char bytes[256];
      while (::recv(peer.get(), bytes, sizeof(bytes), 0) > 0) {
      }
    });
  }
  ~FixedAnswer() { thread_.join(); }
  std::uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(GrpcTransportTest, Connect_KnowsWhatIsNoGrpcServer) {
  Use("echo");
  const std::pair<const char*, const char*> cases[] = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "answers HTTP/1.1, not HTTP/2: is it the HTTP port?"},
      {"\x15\x03\x01\x02\x02\x16", "if it wants TLS, say --tls"},
      {"", "closed the connection"},
      {"220 mail.example ESMTP\r\n", "is it the server's gRPC port?"}};
  for (const auto& [answer, text] : cases) {
    FixedAnswer server(answer);
    target_.port = server.port();
    EXPECT_THAT(Connect().ToString(), HasSubstr(text));
    probe_.reset();
  }
}

TEST_F(GrpcTransportTest, Factory_RefusesWhatGrpcCannotCarry) {
  Use("echo");
  target_.headers = {{"TE", "x"}};
  EXPECT_THAT(Connect().ToString(), HasSubstr("header 'TE' cannot be sent"));
  target_.headers.clear();
  target_.grpc_compression = "br";
  EXPECT_THAT(Connect().ToString(), HasSubstr("gRPC compression 'br' is not known"));
  target_.grpc_compression.clear();
  workload_.items[0].parameters = {{"list", "[1]"}};
  EXPECT_THAT(Connect().ToString(), HasSubstr("item 'echo', content 0: parameter 'list' is [1]"));
}

}  // namespace
}  // namespace headrace::load

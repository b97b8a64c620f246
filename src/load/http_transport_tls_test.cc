// The HTTP transport over TLS, against the server's own listener.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "load/http_transport.h"
#include "net/testing/certificates.h"
#include "net/testing/server_fixture.h"
#include "net/tls_context.h"

namespace headrace::load {
namespace {

using ::testing::HasSubstr;

class Sink final : public CompletionSink {
 public:
  void OnSent(std::uint32_t, Nanos, bool) override {}
  void OnResponse(std::uint32_t, Nanos) override {}
  void OnDone(std::uint32_t, Nanos, Outcome ended, std::uint32_t) override {
    outcome = ended;
    done = true;
  }
  Outcome outcome{};
  bool done = false;
};

class HttpTransportTlsTest : public net::ServerFixture {
 protected:
  void SetUp() override {
    directory_ =
        std::filesystem::path(testing::TempDir()) /
        ("load-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(directory_);
    root_ = net::MakeIdentity("root");
    net::WriteIdentity(Path("root.pem"), root_);
    net::WriteIdentity(Path("client.pem"), net::MakeIdentity("client", &root_));
    net::WriteIdentity(Path("stranger.pem"), net::MakeIdentity("stranger"));
    target_.protocol = Protocol::kRawHttp;
    target_.path = "/x";
    target_.tls.enabled = true;
    target_.tls.ca_file = Path("root.pem");
    workload_.items.resize(1);
    workload_.items[0].contents.resize(1);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ / name; }
  // A listener whose certificate has `names`.
  void StartTls(const std::string& names, bool client_certificate = false) {
    net::WriteIdentity(Path("server.pem"), net::MakeIdentity("server", &root_, names));
    net::TlsOptions options;
    options.certificate_file = options.key_file = Path("server.pem");
    options.protocols = {"http/1.1"};
    options.client_certificate = client_certificate;
    options.client_root_file = client_certificate ? Path("root.pem") : "";
    auto context = net::TlsContext::Create(std::move(options));
    ASSERT_TRUE(context.ok()) << context.status().ToString();
    net::ListenerOptions listener;
    listener.tls = *context;
    StartListener(listener);
    target_.port = port_;
  }
  Status Connect() {
    auto factory = MakeHttpTransportFactory(target_, workload_);
    if (!factory.ok()) {
      return factory.status();
    }
    factory_ = *std::move(factory);
    transport_ = factory_->Make();
    return transport_->Connect(poller_, sink_, 1);
  }
  Outcome Ask() {
    sink_.done = false;
    transport_->Send({});
    transport_->Flush();
    while (!sink_.done) {
      poller_.Poll(kNever);
      transport_->Flush();
    }
    return sink_.outcome;
  }

  std::filesystem::path directory_;
  net::Identity root_;
  TargetSpec target_;
  Workload workload_;
  Poller poller_{std::move(Poller::Make()).value()};
  Sink sink_;
  std::unique_ptr<TransportFactory> factory_;
  std::unique_ptr<Transport> transport_;
};

TEST_F(HttpTransportTlsTest, AsksOverOneConnection) {
  StartTls("IP:127.0.0.1");
  workload_.items[0].contents[0].body = std::make_shared<const std::string>(300'000, 'q');
  const Status status = Connect();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(Ask(), Outcome::kOk);
  EXPECT_EQ(Ask(), Outcome::kOk);
  EXPECT_EQ(counters().connections_accepted, 1U);
}

TEST_F(HttpTransportTlsTest, LargeAnswers_AreReadWhole) {
  StartTls("IP:127.0.0.1");
  target_.path = "/large/1000000";
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask(), Outcome::kOk);
  EXPECT_EQ(Ask(), Outcome::kOk);
}

TEST_F(HttpTransportTlsTest, StrangersAreRefused_UnlessNobodyAsks) {
  StartTls("IP:127.0.0.1");
  target_.tls.ca_file = Path("stranger.pem");
  EXPECT_THAT(Connect().message(), HasSubstr("TLS: "));
  target_.tls.verify_peer = false;
  EXPECT_TRUE(Connect().ok());
  EXPECT_EQ(Ask(), Outcome::kOk);
}

TEST_F(HttpTransportTlsTest, AnotherName_IsRefused_UnlessNobodyAsks) {
  StartTls("IP:127.0.0.2,DNS:other");
  EXPECT_THAT(Connect().message(), HasSubstr("mismatch"));
  target_.tls.verify_host = false;
  EXPECT_TRUE(Connect().ok());
}

TEST_F(HttpTransportTlsTest, ShowsItsOwnCertificate) {
  StartTls("IP:127.0.0.1", true);
  target_.tls.certificate_file = Path("client.pem");
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Ask(), Outcome::kOk);
}

TEST_F(HttpTransportTlsTest, BadFiles_AreNamed) {
  target_.tls.ca_file = "/nonexistent/root.pem";
  EXPECT_THAT(Connect().message(), HasSubstr("'/nonexistent/root.pem'"));
  target_.tls.ca_file = Path("root.pem");
  target_.tls.certificate_file = "/nonexistent/client.pem";
  EXPECT_THAT(Connect().message(), HasSubstr("'/nonexistent/client.pem'"));
}

}  // namespace
}  // namespace headrace::load

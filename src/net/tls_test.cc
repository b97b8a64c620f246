// TLS listeners: handshakes, ALPN, client certificates, new certificates, bad files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "net/testing/certificates.h"
#include "net/testing/raw_client.h"
#include "net/testing/server_fixture.h"
#include "net/tls_context.h"

namespace headrace::net {
namespace {

using ::testing::HasSubstr;

class TlsTest : public ServerFixture {
 protected:
  void SetUp() override {
    // The client's side writes through OpenSSL's own sockets.
    std::signal(SIGPIPE, SIG_IGN);
    directory_ =
        std::filesystem::path(testing::TempDir()) /
        ("tls-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(directory_);
    root_ = MakeIdentity("root");
    Write("root.pem", root_);
    Write("server.pem", MakeIdentity("first", &root_));
    Write("client.pem", MakeIdentity("client", &root_));
    Write("stranger.pem", MakeIdentity("stranger"));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ / name; }
  void Write(const std::string& name, const Identity& identity) const {
    WriteIdentity(Path(name), identity);
  }
  TlsOptions Options() const {
    TlsOptions options;
    options.certificate_file = options.key_file = Path("server.pem");
    return options;
  }
  void StartTls(TlsOptions options) {
    auto context = TlsContext::Create(std::move(options));
    ASSERT_TRUE(context.ok()) << context.status().ToString();
    context_ = *context;
    ListenerOptions listener;
    listener.tls = context_;
    StartListener(listener);
  }

  std::filesystem::path directory_;
  Identity root_;
  std::shared_ptr<TlsContext> context_;
};

// A blocking TLS client.
class TlsClient {
 public:
  struct Options {
    std::string protocol;     // for ALPN
    std::string certificate;  // file
    int version_max = 0;
  };
  explicit TlsClient(std::uint16_t port) : TlsClient(port, Options()) {}
  TlsClient(std::uint16_t port, const Options& options) : socket_(port) {
    context_ = SSL_CTX_new(TLS_client_method());
    if (!options.certificate.empty()) {
      SSL_CTX_use_certificate_file(context_, options.certificate.c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_, options.certificate.c_str(), SSL_FILETYPE_PEM);
    }
    if (options.version_max != 0) {
      SSL_CTX_set_min_proto_version(context_, 0);
      SSL_CTX_set_security_level(context_, 0);
      SSL_CTX_set_max_proto_version(context_, options.version_max);
    }
    ssl_ = SSL_new(context_);
    if (!options.protocol.empty()) {
      const std::string wire = static_cast<char>(options.protocol.size()) + options.protocol;
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned int>(wire.size()));
    }
    SSL_set_fd(ssl_, socket_.fd());
    connected_ = SSL_connect(ssl_) == 1;
    ERR_clear_error();
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  std::string server_name() const {
    const Certificate certificate(SSL_get1_peer_certificate(ssl_));
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof(name));
    return name;
  }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  bool Send(std::string_view text) {
    return SSL_write(ssl_, text.data(), static_cast<int>(text.size())) ==
           static_cast<int>(text.size());
  }
  // At least `size` bytes, or all until the end.
  std::string Read(std::size_t size) {
    std::string received;
    char buffer[16'384];
    for (int count;
         received.size() < size && (count = SSL_read(ssl_, buffer, sizeof(buffer))) > 0;) {
      received.append(buffer, static_cast<std::size_t>(count));
    }
    return received;
  }

 private:
  RawClient socket_;
  SSL_CTX* context_;
  SSL* ssl_;
  bool connected_ = false;
};

TEST_F(TlsTest, Http1_IsServed) {
  StartTls(Options());
  TlsClient client(port_);
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.server_name(), "first");
  ASSERT_TRUE(client.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"));
  std::string answers = client.Read(1);
  while (answers.find("/b:") == std::string::npos) {
    answers += client.Read(1);
  }
  EXPECT_THAT(answers, HasSubstr("/a:"));
}

TEST_F(TlsTest, LargeBodies_GoBothWays) {
  StartTls(Options());
  TlsClient client(port_);
  ASSERT_TRUE(client.connected());
  const std::string body(3'000'000, 'b');
  ASSERT_TRUE(client.Send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n"));
  ASSERT_TRUE(client.Send(body));
  const std::string answer = client.Read(body.size() + 3);
  EXPECT_THAT(answer.substr(0, 200), HasSubstr("200 OK"));
  EXPECT_TRUE(answer.ends_with("/x:" + body) || client.Read(1).ends_with("b"));
}

TEST_F(TlsTest, Alpn_ChoosesHttp2) {
  StartTls(Options());
  TlsClient h2(port_, {.protocol = "h2", .certificate = {}});
  ASSERT_TRUE(h2.connected());
  EXPECT_EQ(h2.protocol(), "h2");
  ASSERT_TRUE(h2.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_EQ(h2.Read(4)[3], 4);  // SETTINGS
  TlsClient old(port_, {.protocol = "http/1.1", .certificate = {}});
  EXPECT_EQ(old.protocol(), "http/1.1");
  TlsClient other(port_, {.protocol = "smtp", .certificate = {}});
  EXPECT_EQ(other.protocol(), "");
}

TEST_F(TlsTest, ClientCertificate_IsAskedForAndChecked) {
  TlsOptions options = Options();
  options.client_certificate = true;
  options.client_root_file = Path("root.pem");
  StartTls(options);
  const std::string request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  TlsClient known(port_, {.protocol = {}, .certificate = Path("client.pem")});
  ASSERT_TRUE(known.Send(request));
  EXPECT_THAT(known.Read(1), HasSubstr("200 OK"));
  // TLS 1.3 tells a refused client at its first read.
  for (const std::string& file : {std::string(), Path("stranger.pem")}) {
    TlsClient refused(port_, {.protocol = {}, .certificate = file});
    refused.Send(request);
    EXPECT_EQ(refused.Read(1), "");
  }
  Settle();
  EXPECT_EQ(counters().handshake_failures, 2u);
  EXPECT_EQ(counters().requests, 1u);
}

TEST_F(TlsTest, OldVersionsAndPlainText_AreRefused) {
  StartTls(Options());
  EXPECT_FALSE(TlsClient(port_, {.protocol = {}, .certificate = {}, .version_max = TLS1_1_VERSION})
                   .connected());
  EXPECT_TRUE(TlsClient(port_, {.protocol = {}, .certificate = {}, .version_max = TLS1_2_VERSION})
                  .connected());
  RawClient plain(port_);
  ASSERT_TRUE(plain.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(plain.ReadBytes(1000),
              ::testing::AllOf(HasSubstr("HTTP/1.1 400 Bad Request\r\n"), HasSubstr("use https")));
  RawClient other(port_);  // neither TLS nor HTTP
  ASSERT_TRUE(other.Send("\x01\x02\x03\x04\x05\x06"));
  EXPECT_THAT(other.ReadBytes(1000), ::testing::Not(HasSubstr("HTTP")));
  Settle();
  EXPECT_EQ(counters().handshake_failures, 3u);
  EXPECT_EQ(counters().requests, 0u);
}

TEST_F(TlsTest, PlainText_IsToldSo_WhateverItsBody) {
  StartTls(Options());
  {
    // The answer comes while the body is still being sent, and the rest of it is taken.
    RawClient client(port_);
    ASSERT_TRUE(client.Send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n"));
    ASSERT_TRUE(client.Send(std::string(300'000, 'b')));
    EXPECT_THAT(client.ReadBytes(1000), HasSubstr("use https"));
  }
  {
    // More than that is not taken.
    RawClient client(port_);
    ASSERT_TRUE(client.Send("POST /a HTTP/1.1\r\n"));
    while (client.Send(std::string(1 << 20, 'b'))) {
    }
  }
  RawClient idle(port_);
  ASSERT_TRUE(idle.Send("GET / HTTP/1.1\r\n"));
  EXPECT_THAT(idle.ReadBytes(1000), HasSubstr("use https"));
  Settle();
  EXPECT_EQ(counters().connections_open, 1u);
  Advance(6 * kSecond);
  EXPECT_EQ(counters().connections_open, 0u);
}

TEST_F(TlsTest, SilentHandshake_IsCut) {
  StartTls(Options());
  RawClient silent(port_);
  ASSERT_TRUE(silent.Send("\x16\x03\x01"));
  Advance(9 * kSecond);
  EXPECT_EQ(counters().connections_open, 1u);
  Advance(2 * kSecond);
  EXPECT_EQ(counters().connections_open, 0u);
  EXPECT_EQ(counters().timeouts, 1u);
}

TEST_F(TlsTest, NewCertificate_IsTakenUpWithoutADrop) {
  StartTls(Options());
  TlsClient before(port_);
  EXPECT_EQ(before.server_name(), "first");
  EXPECT_FALSE(context_->FilesChanged());
  Write("server.pem", MakeIdentity("second-name", &root_));
  EXPECT_TRUE(context_->FilesChanged());
  ASSERT_TRUE(context_->Reload().ok());
  EXPECT_FALSE(context_->FilesChanged());
  EXPECT_EQ(TlsClient(port_).server_name(), "second-name");
  ASSERT_TRUE(before.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(before.Read(1), HasSubstr("200 OK"));
  // One that cannot be read changes nothing.
  std::ofstream(Path("server.pem")) << "no certificate";
  EXPECT_FALSE(context_->Reload().ok());
  EXPECT_EQ(TlsClient(port_).server_name(), "second-name");
}

TEST_F(TlsTest, BadFiles_AreNamed) {
  TlsOptions options = Options();
  options.certificate_file = "";
  EXPECT_THAT(TlsContext::Create(options).status().message(), HasSubstr("server certificate"));
  options = Options();
  options.key_file = Path("nothing.pem");
  EXPECT_THAT(TlsContext::Create(options).status().message(),
              ::testing::AllOf(HasSubstr("nothing.pem"), HasSubstr("No such file")));
  options = Options();
  std::ofstream(Path("empty.pem")) << "";
  options.certificate_file = Path("empty.pem");
  EXPECT_THAT(TlsContext::Create(options).status().message(), HasSubstr("empty.pem"));
  options = Options();
  options.key_file = Path("client.pem");
  EXPECT_THAT(TlsContext::Create(options).status().message(), HasSubstr("does not belong"));
  options = Options();
  options.client_certificate = true;
  EXPECT_THAT(TlsContext::Create(options).status().message(), HasSubstr("root certificate"));
  options.client_root_file = Path("empty.pem");
  EXPECT_THAT(TlsContext::Create(options).status().message(), HasSubstr("root certificate"));
}

}  // namespace
}  // namespace headrace::net

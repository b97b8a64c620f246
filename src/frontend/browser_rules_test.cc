#include "frontend/browser_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace headrace::frontend {
namespace {

using testing::HasSubstr;

net::HttpRequestHead HeadOf(std::string_view host, std::string_view origin = {}) {
  net::HttpRequestHead head;
  if (!host.empty()) {
    head.headers.emplace_back("Host", host);
  }
  if (!origin.empty()) {
    head.headers.emplace_back("origin", origin);
  }
  return head;
}

TEST(BrowserRulesTest, Host_IsAnAddressOrLocalhost_WhereOnlyThisMachineReachesTheServer) {
  const BrowserRules rules;
  for (const char* host : {"", "127.0.0.1", "127.0.0.1:8081", "[::1]:8081", "[::1]", "localhost",
                           "LocalHost:1", "app.localhost:8081", "192.168.1.2:80"}) {
    EXPECT_TRUE(CheckBrowser(rules, HeadOf(host)).ok()) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8081", "localhost.evil.example",
                           "127.0.0.1.evil.example:8081", "evillocalhost", "x", "[::1", "127.1",
                           ".localhost", "0x7f000001"}) {
    const Status refused = CheckBrowser(rules, HeadOf(host));
    EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied) << host;
    EXPECT_THAT(refused.message(), HasSubstr("management_allowed_hosts"));
  }
}

TEST(BrowserRulesTest, Host_MayBeANameThatIsAllowed) {
  const BrowserRules rules{.allowed_hosts = {"models.example"}};
  EXPECT_TRUE(CheckBrowser(rules, HeadOf("Models.Example:8081")).ok());
  EXPECT_FALSE(CheckBrowser(rules, HeadOf("other.example")).ok());
  const BrowserRules any{.allowed_hosts = {"*"}};
  EXPECT_TRUE(CheckBrowser(any, HeadOf("other.example")).ok());
}

TEST(BrowserRulesTest, Host_IsLookedAtElsewhere_OnlyIfNamesAreAllowed) {
  EXPECT_TRUE(CheckBrowser({.loopback = false}, HeadOf("models.svc.cluster.local")).ok());
  const BrowserRules rules{.loopback = false, .allowed_hosts = {"models.svc.cluster.local"}};
  EXPECT_TRUE(CheckBrowser(rules, HeadOf("models.svc.cluster.local:8081")).ok());
  EXPECT_FALSE(CheckBrowser(rules, HeadOf("evil.example")).ok());
}

TEST(BrowserRulesTest, Origin_IsTheServersOwn) {
  const BrowserRules rules;
  EXPECT_TRUE(CheckBrowser(rules, HeadOf("localhost:8081", "http://localhost:8081")).ok());
  EXPECT_TRUE(CheckBrowser(rules, HeadOf("127.0.0.1:8444", "https://127.0.0.1:8444")).ok());
  for (const char* origin : {"https://evil.example", "null", "http://localhost:3000",
                             "http://localhost", "file://", "*", "ftp://localhost:8081"}) {
    const Status refused = CheckBrowser(rules, HeadOf("localhost:8081", origin));
    EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied) << origin;
    EXPECT_THAT(refused.message(), HasSubstr("another origin"));
  }
  EXPECT_FALSE(CheckBrowser(rules, HeadOf("", "http://")).ok());
  // Rebound: of its own origin, but of another's name.
  EXPECT_FALSE(CheckBrowser(rules, HeadOf("evil.example", "http://evil.example")).ok());
}

TEST(BrowserRulesTest, Origin_MayBeTheOneThatIsAllowed) {
  BrowserRules rules{.allowed_origin = "https://a.example"};
  EXPECT_TRUE(CheckBrowser(rules, HeadOf("localhost", "https://a.example")).ok());
  EXPECT_FALSE(CheckBrowser(rules, HeadOf("localhost", "https://a.example.evil")).ok());
  auto twice = HeadOf("localhost", "https://a.example");
  twice.headers.emplace_back("Origin", "https://evil.example");
  EXPECT_FALSE(CheckBrowser(rules, twice).ok());
  rules.allowed_origin = "*";
  EXPECT_TRUE(CheckBrowser(rules, HeadOf("localhost", "https://b.example")).ok());
}

}  // namespace
}  // namespace headrace::frontend

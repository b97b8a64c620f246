#include "store/url_policy.h"

#include <gtest/gtest.h>

namespace headrace::store {
namespace {

UrlPolicy Policy(const std::vector<std::string>& entries) {
  Result<UrlPolicy> policy = UrlPolicy::Make(entries);
  EXPECT_TRUE(policy.ok()) << policy.status().message();
  return std::move(policy).value();
}

UrlPolicy::Verdict Verdict(const UrlPolicy& policy, const std::string& text) {
  const Result<SourceUrl> url = SourceUrl::Parse(text);
  return url.ok() ? policy.Allows(text, *url) : UrlPolicy::Verdict();
}

bool Allows(const std::vector<std::string>& entries, const std::string& text) {
  return Verdict(Policy(entries), text).allowed;
}

TEST(UrlPolicyTest, AllowsNothingWithoutAnEntry) {
  EXPECT_FALSE(Allows({}, "https://host/a.mar"));
  EXPECT_FALSE(Allows({}, "file:///etc/passwd"));
}

TEST(UrlPolicyTest, TakesAPlaceByItsPartsAndNotByItsText) {
  for (const char* entry : {"https://host.example/models", "https://host.example/models/.*",
                            "https://host\\.example/models/", "https://HOST.example:443/models/"}) {
    EXPECT_TRUE(Allows({entry}, "https://host.example/models/a.mar")) << entry;
    EXPECT_TRUE(Allows({entry}, "https://Host.Example./models/a.mar?token=b")) << entry;
    for (const char* text :
         {"http://host.example/models/a.mar", "https://host.example:444/models/a.mar",
          "https://hostxexample/models/a.mar", "https://host.example.evil.com/models/a.mar",
          "https://host.example@evil/models/a.mar", "https://host.example/models2/a.mar",
          "https://host.example/other/a.mar", "https://host.example/models/../other/a.mar",
          "https://host.example/models/%2e%2e/other/a.mar",
          "https://host.example/models%2f..%2fother/a.mar"}) {
      EXPECT_FALSE(Allows({entry}, text)) << entry << " " << text;
    }
  }
  EXPECT_TRUE(Allows({"http(s)?://host/.*"}, "http://host/a.mar"));
  EXPECT_TRUE(Allows({"https?://host/.*"}, "https://host/a.mar"));
  EXPECT_FALSE(Allows({"https?://host/.*"}, "https://host.evil/a.mar"));
}

TEST(UrlPolicyTest, TakesAnExpressionWholeAndInBothForms) {
  EXPECT_TRUE(Allows({"https://.*\\.example/.*\\.mar"}, "https://a.EXAMPLE/b.mar"));
  EXPECT_FALSE(Allows({"https://.*\\.example/.*\\.mar"}, "https://a.example/b.mar.exe"));
  EXPECT_FALSE(Allows({"https://.*\\.example/.*\\.mar"}, "xhttps://a.example/b.mar"));
  EXPECT_TRUE(Allows({"https://host/a-.*"}, "https://host/a-1.mar"));
  // Matches as it is written, but is another place.
  EXPECT_FALSE(Allows({"http://[^/]*:80/.*"}, "http://host:80/a"));
  EXPECT_TRUE(Allows({"file://.*|http(s)?://.*"}, "https://anything/a.mar"));
  EXPECT_TRUE(Allows({"file://.*", "http(s)?://.*"}, "file:///a.mar"));
}

TEST(UrlPolicyTest, OnlyAPlaceNamesItsHost) {
  EXPECT_TRUE(Verdict(Policy({"http://localhost:80/.*"}), "http://localhost/a").private_addresses);
  EXPECT_TRUE(Verdict(Policy({"http://[::1]:80/"}), "http://[0::1]/a").private_addresses);
  EXPECT_FALSE(Verdict(Policy({"http(s)?://.*"}), "http://localhost/a").private_addresses);
  EXPECT_TRUE(Verdict(Policy({"http(s)?://.*"}), "http://localhost/a").allowed);
}

TEST(UrlPolicyTest, RefusesAnEntryThatIsNoExpression) {
  const Result<UrlPolicy> policy = UrlPolicy::Make({"https://host/", "http://(.*"});
  ASSERT_FALSE(policy.ok());
  EXPECT_NE(policy.status().message().find("http://(.*"), std::string::npos);
}

TEST(UrlPolicyTest, MatchesInLinearTime) {
  const std::string text = "https://host/" + std::string(4000, 'a');
  EXPECT_FALSE(Allows({"https://host/(a*)*(a*)*(a*)*b"}, text));
}

}  // namespace
}  // namespace headrace::store

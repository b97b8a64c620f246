#include "store/source_url.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "store/source_address.h"

namespace headrace::store {
namespace {

std::string Normal(const std::string& text) {
  const Result<SourceUrl> url = SourceUrl::Parse(text);
  return url.ok() ? url->Text() : "refused: " + url.status().message();
}

TEST(SourceUrlTest, BringsUrlsIntoOneForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"HTTPS://Host.Example:443/A", "https://host.example/A"},
      {"http://host.example.:80", "http://host.example/"},
      {"http://host:8080/a/b?c=%2f&d=%41", "http://host:8080/a/b?c=%2F&d=A"},
      {"https://host/%7Euser/%c3%a4", "https://host/~user/%C3%A4"},
      {"http://[0:0:0::1]:80/", "http://[::1]/"},
      {"http://[::FFFF:127.0.0.1]/", "http://[::ffff:127.0.0.1]/"},
      {"http://192.0.2.1/", "http://192.0.2.1/"},
      {"file:///models/a.mar", "file:///models/a.mar"},
  };
  for (const auto& [text, normal] : cases) {
    EXPECT_EQ(Normal(text), normal) << text;
  }
}

TEST(SourceUrlTest, RefusesWhatCanBeUnderstoodInTwoWays) {
  for (const char* text : {
           "a.mar",
           "ftp://host/a",
           "gopher://host/",
           "data://text",
           "://host/",
           "http:///a",
           "http://allowed@evil/a",
           "http://127.0.0.1@evil/",
           "http://user:pw@host/",
           "http://host/a#b",
           "http://host/../a",
           "http://host/a/..",
           "http://host/a/%2e%2e/b",
           "http://host/%2E./b",
           "http://host/./b",
           "http://host/a%2fb",
           "http://host/a%5cb",
           "http://host/a%00",
           "http://host/a%0d%0aHost: b",
           "http://host/%252e%252e/b",
           "http://host\\@evil/",
           "http://host/a\\b",
           "http://host/a b",
           "http://host/a\tb",
           "http://host/\xc3\xa4",
           "http://host/%4",
           "http://host/%zz",
           "http://ho%73t/",
           "http://2130706433/",
           "http://0x7f000001/",
           "http://0x7f.0.0.1/",
           "http://0177.0.0.1/",
           "http://127.1/",
           "http://127.0.0.01/",
           "http://127.0.0.1.2/",
           "http://256.0.0.1/",
           "http://[::1%25eth0]/",
           "http://[fe80::1%eth0]/",
           "http://[::1/",
           "http://[]/",
           "http://::1/",
           "http://host:0/",
           "http://host:65536/",
           "http://host:/",
           "http://host:8x/",
           "http://host..name/",
           "http://.host/",
           "http://\xe2\x93\x94host/",
           "file://host/etc/passwd",
           "file://localhost/etc/passwd",
           "file:///a/../etc/passwd",
           "file:///a?b",
           "file://..",
           "http://h\nost/",
       }) {
    EXPECT_FALSE(SourceUrl::Parse(text).ok()) << text << " is " << Normal(text);
  }
  EXPECT_FALSE(SourceUrl::Parse("http://host/" + std::string(kSourceUrlByteSizeMax, 'a')).ok());
}

TEST(SourceUrlTest, DecodesThePathOfAFile) {
  EXPECT_EQ(SourceUrl::Parse("file:///models/a%20b.mar")->DecodedPath(), "/models/a b.mar");
}

bool IsPublic(const char* text) {
  sockaddr_in v4 = {};
  sockaddr_in6 v6 = {};
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    return IsPublicAddress(reinterpret_cast<const sockaddr&>(v4));
  }
  EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
  v6.sin6_family = AF_INET6;
  return IsPublicAddress(reinterpret_cast<const sockaddr&>(v6));
}

TEST(SourceAddressTest, KnowsWhatIsNotThePublicInternet) {
  for (const char* text : {
           "0.0.0.0",
           "0.1.2.3",
           "10.0.0.1",
           "100.64.0.1",
           "100.127.255.255",
           "127.0.0.1",
           "127.255.255.255",
           "169.254.169.254",
           "172.16.0.1",
           "172.31.255.255",
           "192.0.0.8",
           "192.168.1.1",
           "198.18.0.1",
           "224.0.0.1",
           "255.255.255.255",
           "::",
           "::1",
           "::7f00:1",
           "::ffff:127.0.0.1",
           "::ffff:10.0.0.1",
           "fe80::1",
           "fc00::1",
           "fd00:ec2::254",
           "ff02::1",
           "2002:7f00:1::",
           "64:ff9b::7f00:1",
           "64:ff9b:1::1",
           "2001::1",
           "2001:db8::1",
           "fec0::1",
       }) {
    EXPECT_FALSE(IsPublic(text)) << text;
  }
  for (const char* text : {"1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
                           "223.255.255.255", "2606:4700:4700::1111", "::ffff:1.1.1.1",
                           "2002:101:101::", "64:ff9b::101:101", "2001:4860:4860::8888"}) {
    EXPECT_TRUE(IsPublic(text)) << text;
  }
  EXPECT_FALSE(IsPublicAddress(sockaddr{AF_UNIX, {}}));
}

}  // namespace
}  // namespace headrace::store

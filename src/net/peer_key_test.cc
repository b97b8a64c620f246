#include "net/peer_key.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace headrace::net {
namespace {

std::uint64_t KeyOf(const char* text) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    return PeerKey(storage, sizeof(sockaddr_in));
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
  v6.sin6_family = AF_INET6;
  return PeerKey(storage, sizeof(sockaddr_in6));
}

TEST(PeerKeyTest, TellsIpv4HostsApart) {
  EXPECT_EQ(KeyOf("10.0.0.1"), KeyOf("10.0.0.1"));
  EXPECT_NE(KeyOf("10.0.0.1"), KeyOf("10.0.0.2"));
  EXPECT_NE(KeyOf("0.0.0.0"), 0U);
}

TEST(PeerKeyTest, KnowsAnIpv4HostAgain_WhenItComesThroughIpv6) {
  EXPECT_EQ(KeyOf("::ffff:10.0.0.1"), KeyOf("10.0.0.1"));
}

TEST(PeerKeyTest, TakesAnIpv6NetworkForOneHost) {
  EXPECT_EQ(KeyOf("2001:db8:1:2::1"), KeyOf("2001:db8:1:2:ffff::9"));
  EXPECT_NE(KeyOf("2001:db8:1:2::1"), KeyOf("2001:db8:1:3::1"));
  EXPECT_NE(KeyOf("::1"), 0U);
}

TEST(PeerKeyTest, IsNothing_ForASocketWithoutAnInternetAddress) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(PeerKey(storage, sizeof(storage)), 0U);
  storage.ss_family = AF_INET6;
  EXPECT_EQ(PeerKey(storage, sizeof(sockaddr_in)), 0U);  // cut short
}

}  // namespace
}  // namespace headrace::net

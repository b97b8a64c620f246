#include "server/listen_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::server {
namespace {

TEST(ListenAddressTest, Parse_AcceptsListsOfNumericAddresses) {
  const auto addresses = ParseListenAddresses("127.0.0.1,::1,0.0.0.0,::");
  ASSERT_TRUE(addresses.ok());
  ASSERT_EQ(addresses->size(), 4u);
  EXPECT_TRUE((*addresses)[0].loopback);
  EXPECT_TRUE((*addresses)[1].loopback);
  EXPECT_FALSE((*addresses)[2].loopback);
  EXPECT_FALSE((*addresses)[3].loopback);
  EXPECT_EQ(HostAndPort((*addresses)[1], 80), "[::1]:80");
}

TEST(ListenAddressTest, Parse_LocalhostIsBothLoopbackAddresses) {
  const auto addresses = ParseListenAddresses("localhost");
  ASSERT_TRUE(addresses.ok());
  EXPECT_EQ(addresses->size(), 2u);
}

TEST(ListenAddressTest, Parse_RefusesNamesAndEmptyParts) {
  EXPECT_FALSE(ParseListenAddresses("example.org").ok());
  EXPECT_FALSE(ParseListenAddresses("127.0.0.1,").ok());
  EXPECT_FALSE(ParseListenAddresses("").ok());
}

TEST(ListenAddressTest, CheckExposure_RefusesRemoteAddressesUnlessConfirmed) {
  const auto remote = ParseListenAddresses("0.0.0.0");
  ASSERT_TRUE(remote.ok());
  EXPECT_THAT(CheckExposure(*remote, false, "http-address").message(),
              ::testing::HasSubstr("--insecure-allow-remote=true"));
  EXPECT_TRUE(CheckExposure(*remote, true, "http-address").ok());
}

}  // namespace
}  // namespace headrace::server

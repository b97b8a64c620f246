#include "server/model_services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/option_sources.h"

namespace headrace::server {
namespace {

using ::testing::HasSubstr;

Result<ServerConfig> Configure(const std::vector<std::string>& arguments) {
  auto resolved = ResolveConfig(arguments, [](const char*) -> const char* { return nullptr; });
  if (!resolved.ok()) {
    return resolved.status();
  }
  return resolved->config;
}

std::string Fault(const std::vector<std::string>& arguments) {
  const auto config = Configure(arguments);
  return std::string(config.ok() ? MakeModelServices(*config).status().message()
                                 : config.status().message());
}

TEST(ModelServicesTest, ThereAreNone_UnlessTheyAreAskedFor) {
  const auto services = MakeModelServices(*Configure({"--model-repository=a"})).value();
  EXPECT_EQ(services.cache, nullptr);
  EXPECT_EQ(services.limiter, nullptr);
}

TEST(ModelServicesTest, BothFlagsMakeTheLocalCache) {
  EXPECT_NE(MakeModelServices(*Configure({"--cache-config=local,size=1000"}))->cache, nullptr);
  EXPECT_NE(MakeModelServices(*Configure({"--response-cache-byte-size=1000"}))->cache, nullptr);
  EXPECT_EQ(MakeModelServices(*Configure({"--response-cache-byte-size=0"}))->cache, nullptr);
  EXPECT_THAT(Fault({"--cache-config=local,size=9", "--response-cache-byte-size=9"}),
              HasSubstr("exclude each other"));
}

TEST(ModelServicesTest, WrongCaches_AreNamed) {
  EXPECT_THAT(Fault({"--cache-config=redis,host=a", "--cache-directory=/nowhere"}),
              HasSubstr("--cache-config: unable to find the library of cache 'redis', searched: "
                        "/nowhere/redis/libtritoncache_redis.so"));
  EXPECT_THAT(Fault({"--cache-config=../a,host=a"}), HasSubstr("must be a plain name"));
  EXPECT_THAT(Fault({"--cache-config=local,colour=1"}), HasSubstr("no setting 'colour'"));
  EXPECT_THAT(Fault({"--cache-config=local,size=0"}), HasSubstr("size"));
  EXPECT_THAT(Fault({"--cache-config=local"}), HasSubstr("expected <cache>,<key>=<value>"));
  EXPECT_THAT(Fault({"--cache-config=a,b=1", "--cache-config=c,d=1"}),
              HasSubstr("one response cache only"));
}

TEST(ModelServicesTest, TheRateLimiter_TakesItsResources) {
  const auto config = Configure({"--rate-limit=execution_count", "--rate-limit-resource=R:4",
                                 "--rate-limit-resource=S:2:1"})
                          .value();
  EXPECT_NE(MakeModelServices(config)->limiter, nullptr);
  ASSERT_EQ(config.rate_limit_resources.size(), 2u);
  EXPECT_EQ(config.rate_limit_resources[0].name, "R");
  EXPECT_EQ(config.rate_limit_resources[0].count, 4u);
  EXPECT_FALSE(config.rate_limit_resources[0].device.has_value());
  EXPECT_EQ(config.rate_limit_resources[1].device, 1);
  EXPECT_EQ(FindOption("rate-limit-resource")->get(config), "R:4 S:2:1");
  for (const char* wrong :
       {"--rate-limit=maybe", "--rate-limit-resource=R", "--rate-limit-resource=R:x",
        "--rate-limit-resource=:1", "--rate-limit-resource=R:1:x"}) {
    EXPECT_FALSE(Configure({wrong}).ok()) << wrong;
  }
}

}  // namespace
}  // namespace headrace::server

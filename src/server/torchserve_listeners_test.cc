#include "server/torchserve_listeners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace headrace::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TorchServeAddress Address(std::string_view text) {
  auto address = ParseTorchServeAddress(text, {});
  EXPECT_TRUE(address.ok()) << address.status().message();
  return address.ok() ? *address : TorchServeAddress();
}

// "im" for a place of inference and management.
std::vector<std::string> Shown(const TorchServeConfig& config) {
  std::vector<std::string> shown;
  for (const TorchServePlace& place : TorchServePlaces(config)) {
    shown.push_back(place.address.Shown(place.address.port) + " " + (place.inference ? "i" : "") +
                    (place.management ? "m" : "") + (place.metrics ? "x" : ""));
  }
  return shown;
}

TEST(TorchServePlacesTest, DifferentAddresses_AreThreePlaces) {
  EXPECT_THAT(Shown({}), ElementsAre("http://127.0.0.1:8080 i", "http://127.0.0.1:8081 m",
                                     "http://127.0.0.1:8082 x"));
}

TEST(TorchServePlacesTest, EqualAddresses_AreOnePlace_WithMetrics) {
  TorchServeConfig config;
  config.inference_address = Address("http://localhost:8085/");
  config.management_address = Address("http://127.0.0.1:8085");
  EXPECT_THAT(Shown(config), ElementsAre("http://127.0.0.1:8085 imx", "http://127.0.0.1:8082 x"));
  config.metrics_address = Address("http://127.0.0.1:8085");
  EXPECT_THAT(Shown(config), ElementsAre("http://127.0.0.1:8085 imx"));
  config.enable_metrics_api = false;
  EXPECT_THAT(Shown(config), ElementsAre("http://127.0.0.1:8085 im"));
}

TEST(TorchServePlacesTest, AnyFreePort_IsAnotherPortForEach) {
  TorchServeConfig config;
  config.inference_address = config.management_address = Address("http://127.0.0.1:0");
  EXPECT_EQ(Shown(config).size(), 3u);
}

TEST(TorchServeAddressTest, Parse_KnowsSchemesAndDefaultPorts) {
  EXPECT_EQ(Address("http://127.0.0.1").port, 8080);
  EXPECT_EQ(Address("https://127.0.0.1").port, 8443);
  EXPECT_TRUE(Address("https://127.0.0.1").tls);
  EXPECT_EQ(Address("http://[::1]:90").Shown(90), "http://[::1]:90");
  EXPECT_EQ(Address("unix:/tmp/a.sock").Shown(0), "unix:/tmp/a.sock");
  EXPECT_TRUE(Address("unix:///tmp/a.sock").SameAs(Address("unix:/tmp/a.sock")));
  EXPECT_TRUE(Address("unix:/tmp/a.sock").loopback());
  EXPECT_FALSE(Address("http://0.0.0.0:80").loopback());
}

class ExposureTest : public testing::Test {
 protected:
  ExposureTest() { config_.torchserve.program = true; }
  Status Check() {
    warnings_.clear();
    return CheckTorchServeExposure(config_, warnings_);
  }
  ServerConfig config_;
  TorchServeConfig& torchserve_ = config_.torchserve;
  std::vector<std::string> warnings_;
};

TEST_F(ExposureTest, Loopback_IsNoNews) {
  torchserve_.disable_token_authorization = torchserve_.enable_model_api = true;
  EXPECT_TRUE(Check().ok());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ExposureTest, Tokens_ProtectAllButTheMetrics) {
  torchserve_.inference_address = torchserve_.management_address = torchserve_.metrics_address =
      Address("http://0.0.0.0:8080");
  torchserve_.grpc_inference_address = torchserve_.grpc_management_address = "0.0.0.0";
  torchserve_.enable_model_api = true;
  EXPECT_TRUE(Check().ok());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("metrics_address")));
}

TEST_F(ExposureTest, WithoutTokens_WhatTheUserWrote_IsServedAndWarnedAbout) {
  torchserve_.disable_token_authorization = true;
  torchserve_.inference_address = Address("http://0.0.0.0:8080");
  torchserve_.management_address = Address("http://0.0.0.0:8081");
  EXPECT_TRUE(Check().ok());
  EXPECT_THAT(warnings_,
              ElementsAre(HasSubstr("management_address"), HasSubstr("inference_address")));
}

TEST_F(ExposureTest, WithoutTokens_AnOpenModelApi_IsRefused_UnlessConfirmed) {
  torchserve_.disable_token_authorization = torchserve_.enable_model_api = true;
  torchserve_.management_address = Address("http://0.0.0.0:8081");
  EXPECT_THAT(Check().message(), HasSubstr("insecure_allow_remote=true"));
  torchserve_.management_address = Address("http://127.0.0.1:8081");
  torchserve_.grpc_management_address = "0.0.0.0";
  EXPECT_THAT(Check().message(), HasSubstr("grpc_management_address"));
  torchserve_.insecure_allow_remote = true;
  EXPECT_TRUE(Check().ok());
}

TEST_F(ExposureTest, BesideTriton_ItIsAsStrictAsTriton) {
  torchserve_.program = false;
  torchserve_.disable_token_authorization = true;
  torchserve_.inference_address = Address("http://0.0.0.0:8080");
  EXPECT_FALSE(Check().ok());
  config_.insecure_allow_remote = true;
  EXPECT_TRUE(Check().ok());
}

}  // namespace
}  // namespace headrace::server

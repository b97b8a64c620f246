#include "bench/local_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace headrace::bench {
namespace {

using ::testing::HasSubstr;

// A shell script stands in for the server.
class LocalServerTest : public ::testing::Test {
 protected:
  LocalServerTest() : folder_(::testing::TempDir() + "/local_server_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~LocalServerTest() override { std::filesystem::remove_all(folder_); }

  LocalServerOptions Script(const std::string& text) {
    LocalServerOptions options;
    options.program = folder_ + "/program";
    std::ofstream(options.program) << "#!/bin/sh\n" << text << '\n';
    ::chmod(options.program.c_str(), 0755);
    options.model_repositories = {"models"};
    return options;
  }

  std::string folder_;
};

constexpr char kListens[] =
    "echo 'I0101 Started GRPCInferenceService at 127.0.0.1:5001'\n"
    "echo 'I0101 Started HTTPService at 127.0.0.1:5002'\n"
    "echo \"I0101 Started Metrics Service at 127.0.0.1:5003\"\n";

TEST_F(LocalServerTest, ReadsThePortsAndPassesTheOptions) {
  auto options = Script(std::string("echo \"$@\"\n") + kListens + "exec sleep 1000");
  options.load_models = {"m"};
  options.arguments = {"--log-verbose=1"};
  auto server = LocalServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  EXPECT_EQ((*server)->ports().grpc, 5001);
  EXPECT_EQ((*server)->ports().http, 5002);
  EXPECT_EQ((*server)->ports().metrics, 5003);
  EXPECT_EQ((*server)->Target(load::Protocol::kV2Grpc).port, 5001);
  EXPECT_EQ((*server)->Control().metrics_url, "http://127.0.0.1:5003/metrics");
  EXPECT_THAT((*server)->LastLines(),
              HasSubstr("--model-repository=models --load-model=m --log-verb"));
  EXPECT_TRUE((*server)->Running());
  EXPECT_EQ((*server)->Stop(), 128 + SIGTERM);
  EXPECT_FALSE((*server)->Running());
}

TEST_F(LocalServerTest, SaysWhatAServerSaidThatEnds) {
  auto server = LocalServer::Start(Script("echo 'no such repository'; exit 3"));
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(server.status().message(),
              HasSubstr("ended as it started; it said:\nno such repository"));
}

TEST_F(LocalServerTest, NamesAProgramThatCannotBeStarted) {
  LocalServerOptions options;
  options.program = folder_ + "/missing";
  options.model_repositories = {"models"};
  EXPECT_THAT(LocalServer::Start(options).status().message(),
              HasSubstr("missing' cannot be started"));
}

TEST_F(LocalServerTest, GivesUpWhenItIsInterrupted) {
  auto options = Script("exec sleep 1000");
  const std::atomic<bool> stop{true};
  options.stop = &stop;
  EXPECT_EQ(LocalServer::Start(options).status().code(), StatusCode::kCancelled);
}

TEST_F(LocalServerTest, KillsAServerThatDoesNotEnd) {
  auto options = Script(std::string("trap '' TERM\n") + kListens + "while :; do sleep 1000; done");
  auto server = LocalServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  EXPECT_EQ((*server)->Stop(10 * kMillisecond), 128 + SIGKILL);
}

TEST_F(LocalServerTest, KeepsALog) {
  auto options = Script(kListens);
  options.log_file = folder_ + "/log";
  auto server = LocalServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  (*server)->Stop();
  std::string text;
  std::getline(std::ifstream(options.log_file), text);
  EXPECT_THAT(text, HasSubstr("Started GRPCInferenceService"));
}

TEST_F(LocalServerTest, TorchServe_GetsAConfigurationOfItsOwn) {
  auto options = Script(
      "echo \"$@\"\ncat config.properties\n"
      "echo 'Inference API bind to: http://127.0.0.1:6001'\n"
      "echo 'Management API bind to: http://127.0.0.1:6002'\n"
      "echo 'Metrics API bind to: http://127.0.0.1:6003'\nexec sleep 1000");
  options.model_repositories.clear();
  options.model_store = folder_;
  options.torchserve_keys = {{"number_of_gpu", "0"}};
  auto server = LocalServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  EXPECT_EQ((*server)->ports().inference, 6001);
  EXPECT_EQ((*server)->ports().management, 6002);
  EXPECT_EQ((*server)->Target(load::Protocol::kTorchServe).port, 6001);
  EXPECT_THAT((*server)->LastLines(), HasSubstr("number_of_gpu=0"));
  EXPECT_THAT((*server)->LastLines(), HasSubstr("--model-store " + folder_));
}

}  // namespace
}  // namespace headrace::bench

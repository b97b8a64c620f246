#include "repository/thread_parameters.h"

#include <gtest/gtest.h>

#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

inference::ModelConfig Config(const std::string& parameter, const std::string& value,
                              int instances = 1) {
  inference::ModelConfig config;
  (*config.mutable_parameters())[parameter].set_string_value(value);
  config.add_instance_group()->set_count(instances);
  return config;
}

TEST(ThreadsAsked, AreThoseOfEachInstance) {
  EXPECT_EQ(ThreadsAsked(Config("intra_op_thread_count", "3", 2)), 3);
  EXPECT_EQ(ThreadsAsked(Config("NUM_THREADS", "3", 2)), 3);
  // OpenVINO counts all of them together.
  EXPECT_EQ(ThreadsAsked(Config("INFERENCE_NUM_THREADS", "4", 2)), 2);
  EXPECT_EQ(ThreadsAsked(Config("INFERENCE_NUM_THREADS", "3", 2)), 2);
}

TEST(ThreadsAsked, AreNoneWhereNothingSaysSo) {
  EXPECT_EQ(ThreadsAsked(Config("PERFORMANCE_HINT", "LATENCY")), 0);
  EXPECT_EQ(ThreadsAsked(Config("intra_op_thread_count", "many")), 0);
  EXPECT_EQ(ThreadsAsked(Config("intra_op_thread_count", "99999")), 0);
  EXPECT_EQ(ThreadsAsked(inference::ModelConfig()), 0);
}

TEST(AskForThreads, SaysItInTheBackendsWords) {
  inference::ModelConfig config = Config("other", "1", 2);
  config.set_backend("openvino");
  AskForThreads(2, config);
  EXPECT_EQ(config.parameters().at("INFERENCE_NUM_THREADS").string_value(), "4");
  EXPECT_EQ(ThreadsAsked(config), 2);
  config.set_backend("pytorch");
  AskForThreads(3, config);
  EXPECT_EQ(config.parameters().at("INTRA_OP_THREAD_COUNT").string_value(), "3");
}

TEST(AskForThreads, LeavesOtherBackendsAlone) {
  inference::ModelConfig config = Config("other", "1");
  config.set_backend("identity");
  AskForThreads(2, config);
  EXPECT_EQ(config.parameters_size(), 1);
}

}  // namespace
}  // namespace headrace::repository

#include "pytorch/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

using ::testing::HasSubstr;

constexpr int kCores = 8;

// `parameters`: name and value; `rest`: more JSON members.
Error Read(const std::vector<std::pair<std::string, std::string>>& parameters,
           PyTorchSettings* settings, const std::string& rest = "") {
  std::string json = R"({"parameters": {)";
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    json += fmt::format(R"({}"{}": {{"string_value": "{}"}})", i == 0 ? "" : ", ",
                        parameters[i].first, parameters[i].second);
  }
  ModelConfig config;
  Error error = ModelConfig::Parse(json + "}" + rest + "}", &config);
  EXPECT_TRUE(error.ok());
  return PyTorchSettings::Read(config, kCores, settings);
}

TEST(PyTorchSettings, DefaultsShareTheCoresAmongInstances) {
  PyTorchSettings settings;
  ASSERT_TRUE(Read({}, &settings).ok());
  EXPECT_TRUE(settings.inference_mode);
  EXPECT_TRUE(settings.optimized_execution);
  EXPECT_EQ(settings.weight_sharing, WeightSharing::kParameters);
  EXPECT_EQ(settings.intra_op_threads, kCores);
  EXPECT_FALSE(settings.inter_op_threads);
  ASSERT_TRUE(Read({}, &settings,
                   R"(, "instance_group": [{"count": 2, "kind": "KIND_CPU"}, {"count": 3,
                       "kind": "KIND_GPU"}, {"name": "g", "kind": "KIND_CPU"}])")
                  .ok());
  EXPECT_EQ(settings.cpu_instances, 3);
  EXPECT_EQ(settings.instances_per_gpu, 3);
  EXPECT_EQ(settings.intra_op_threads, 2);
}

TEST(PyTorchSettings, MoreInstancesThanCoresHaveOneThreadEach) {
  PyTorchSettings settings;
  ASSERT_TRUE(Read({}, &settings, R"(, "instance_group": [{"count": 20}])").ok());
  EXPECT_EQ(settings.intra_op_threads, 1);
}

TEST(PyTorchSettings, ReadsEveryParameter) {
  PyTorchSettings settings;
  ASSERT_TRUE(Read({{"INFERENCE_MODE", "false"},
                    {"DISABLE_OPTIMIZED_EXECUTION", "true"},
                    {"DISABLE_CUDNN", "true"},
                    {"ENABLE_WEIGHT_SHARING", "true"},
                    {"ENABLE_CACHE_CLEANING", "1"},
                    {"INTRA_OP_THREAD_COUNT", "3"},
                    {"NUM_INTEROP_THREADS", "4"},
                    {"ENABLE_JIT_EXECUTOR", "false"},
                    {"ENABLE_JIT_PROFILING", "true"},
                    {"OPTIMIZE_FOR_INFERENCE", "true"},
                    {"SOMETHING_ELSE", "is only warned about"}},
                   &settings)
                  .ok());
  EXPECT_FALSE(settings.inference_mode);
  EXPECT_FALSE(settings.optimized_execution);
  EXPECT_EQ(settings.cudnn, false);
  EXPECT_EQ(settings.weight_sharing, WeightSharing::kEverything);
  EXPECT_TRUE(settings.clean_cache);
  EXPECT_EQ(settings.intra_op_threads, 3);
  EXPECT_EQ(settings.inter_op_threads, 4);
  EXPECT_EQ(settings.jit_executor, false);
  EXPECT_EQ(settings.jit_profiling, true);
  EXPECT_TRUE(settings.optimize_for_inference);
  ASSERT_TRUE(Read({{"ENABLE_WEIGHT_SHARING", "false"}, {"NUM_THREADS", "5"}}, &settings).ok());
  EXPECT_EQ(settings.weight_sharing, WeightSharing::kNothing);
  EXPECT_EQ(settings.intra_op_threads, 5);
}

TEST(PyTorchSettings, RefusesWhatDoesNotReadByName) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"INFERENCE_MODE", "yes"},
           {"ENABLE_WEIGHT_SHARING", ""},
           {"NUM_THREADS", "0"},
           {"NUM_THREADS", "-1"},
           {"NUM_THREADS", "1025"},
           {"INTER_OP_THREAD_COUNT", "two"},
           {"INTRA_OP_THREAD_COUNT", "99999999999999999999"}}) {
    PyTorchSettings settings;
    const Error error = Read({{key, value}}, &settings);
    ASSERT_FALSE(error.ok()) << key << " " << value;
    EXPECT_THAT(error.message(), HasSubstr(key));
  }
}

TEST(PyTorchSettings, TwoNamesOfOneThingMustAgree) {
  PyTorchSettings settings;
  EXPECT_TRUE(Read({{"NUM_THREADS", "2"}, {"INTRA_OP_THREAD_COUNT", "2"}}, &settings).ok());
  const Error error = Read({{"NUM_THREADS", "2"}, {"INTRA_OP_THREAD_COUNT", "3"}}, &settings);
  ASSERT_FALSE(error.ok());
  EXPECT_THAT(error.message(), HasSubstr("differ: 3 and 2"));
}

}  // namespace
}  // namespace headrace::backend

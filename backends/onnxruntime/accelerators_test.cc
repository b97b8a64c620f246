#include "onnxruntime/accelerators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

ModelConfig Config(const std::string& accelerators, const std::string& kind = "KIND_GPU") {
  ModelConfig config;
  const Error error =
      ModelConfig::Parse(fmt::format(R"({{"instance_group":[{{"kind":"{}","count":1}}],)"
                                     R"("optimization":{{"execution_accelerators":{{{}}}}}}})",
                                     kind, accelerators),
                         &config);
  EXPECT_TRUE(error.ok()) << error.message();
  return config;
}

Accelerators Read(const std::string& accelerators) {
  Accelerators read;
  const Error error = Accelerators::Read(Config(accelerators), &read);
  EXPECT_TRUE(error.ok()) << error.message();
  return read;
}

std::string Refusal(const ModelConfig& config) {
  Accelerators read;
  const Error error = Accelerators::Read(config, &read);
  EXPECT_FALSE(error.ok());
  return error.ok() ? "" : error.message();
}

TEST(AcceleratorsTest, HasCudaForInstancesOnAGpu_WhereNothingIsAskedFor) {
  const Accelerators read = Read("");
  EXPECT_FALSE(read.openvino);
  ASSERT_EQ(1u, read.gpu.size());
  EXPECT_EQ(GpuProvider::Kind::kCuda, read.gpu[0].kind);
  EXPECT_TRUE(read.gpu[0].options.empty());
}

TEST(AcceleratorsTest, KeepsTheParametersOfOpenVino) {
  const Accelerators read =
      Read(R"("cpu_execution_accelerator":[{"name":"openvino","parameters":{"NUM_STREAMS":"2"}}])");
  ASSERT_TRUE(read.openvino);
  EXPECT_THAT(*read.openvino, ElementsAre(Pair("NUM_STREAMS", "2")));
}

TEST(AcceleratorsTest, RenamesTheParametersOfTensorRt_AndKeepsItsOwn) {
  const Accelerators read = Read(
      R"("gpu_execution_accelerator":[{"name":"tensorrt","parameters":{"precision_mode":"FP16",)"
      R"("max_workspace_size_bytes":"1073741824","int8_calibration_table_name":"t",)"
      R"("int8_use_native_calibration_table":"1","trt_engine_cache_enable":"1",)"
      R"("trt_engine_cache_path":"/cache"}}])");
  ASSERT_EQ(2u, read.gpu.size());
  EXPECT_EQ(GpuProvider::Kind::kTensorRt, read.gpu[0].kind);
  EXPECT_THAT(
      read.gpu[0].options,
      ElementsAre(Pair("trt_engine_cache_enable", "1"), Pair("trt_engine_cache_path", "/cache"),
                  Pair("trt_fp16_enable", "1"), Pair("trt_int8_calibration_table_name", "t"),
                  Pair("trt_int8_use_native_calibration_table", "1"),
                  Pair("trt_max_workspace_size", "1073741824")));
  EXPECT_EQ(GpuProvider::Kind::kCuda, read.gpu[1].kind);
}

TEST(AcceleratorsTest, TakesEveryPrecisionOfTensorRt) {
  const auto options = [](const char* mode) {
    return Read(fmt::format(R"("gpu_execution_accelerator":[{{"name":"tensorrt",)"
                            R"("parameters":{{"precision_mode":"{}"}}}}])",
                            mode))
        .gpu[0]
        .options;
  };
  EXPECT_TRUE(options("FP32").empty());
  EXPECT_THAT(options("FP16"), ElementsAre(Pair("trt_fp16_enable", "1")));
  EXPECT_THAT(options("INT8"), ElementsAre(Pair("trt_int8_enable", "1")));
}

TEST(AcceleratorsTest, NamesTheValuesOfCudaThatTritonHasAsNumbers) {
  const Accelerators read = Read(
      R"("gpu_execution_accelerator":[{"name":"cuda","parameters":{"gpu_mem_limit":"2147483648",)"
      R"("cudnn_conv_algo_search":"1","arena_extend_strategy":"kSameAsRequested",)"
      R"("do_copy_in_default_stream":"0"}}])");
  ASSERT_EQ(1u, read.gpu.size());
  EXPECT_THAT(read.gpu[0].options, ElementsAre(Pair("arena_extend_strategy", "kSameAsRequested"),
                                               Pair("cudnn_conv_algo_search", "HEURISTIC"),
                                               Pair("do_copy_in_default_stream", "0"),
                                               Pair("gpu_mem_limit", "2147483648")));
}

TEST(AcceleratorsTest, AsksNothingBehindCuda) {
  const Accelerators read =
      Read(R"("gpu_execution_accelerator":[{"name":"cuda"},{"name":"tensorrt"}])");
  ASSERT_EQ(1u, read.gpu.size());
  EXPECT_EQ(GpuProvider::Kind::kCuda, read.gpu[0].kind);
}

TEST(AcceleratorsTest, RefusesWhatItDoesNotKnowByName) {
  EXPECT_THAT(Refusal(Config(R"("cpu_execution_accelerator":[{"name":"x"}])")),
              HasSubstr("unknown Execution Accelerator 'x' is requested"));
  EXPECT_THAT(Refusal(Config(R"("gpu_execution_accelerator":[{"name":"openvino"}])")),
              HasSubstr("unknown Execution Accelerator 'openvino' is requested"));
  EXPECT_THAT(Refusal(Config(R"("gpu_execution_accelerator":[{"name":"tensorrt",)"
                             R"("parameters":{"precision":"FP16"}}])")),
              HasSubstr("unknown parameter 'precision'"));
  EXPECT_THAT(Refusal(Config(R"("gpu_execution_accelerator":[{"name":"tensorrt",)"
                             R"("parameters":{"precision_mode":"FP64"}}])")),
              HasSubstr("unsupported precision mode 'FP64'"));
}

TEST(AcceleratorsTest, RefusesAGpusAcceleratorWithoutAGpu) {
  EXPECT_THAT(Refusal(Config(R"("gpu_execution_accelerator":[{"name":"tensorrt"}])", "KIND_CPU")),
              HasSubstr("'tensorrt' needs a GPU"));
}

}  // namespace
}  // namespace headrace::backend

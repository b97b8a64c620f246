#include "repository/warmup_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"
#include "repository/testing/temporary_repository.h"
#include "tensor/bytes_codec.h"

namespace headrace::repository {
namespace {

using ::testing::HasSubstr;

class WarmupSamplesTest : public ::testing::Test {
 protected:
  // The samples of a model that has `extra` in its configuration.
  Result<std::vector<engine::WarmupSample>> Build(const std::string& extra,
                                                  int max_batch_size = 8) {
    const auto config = ParseConfigText(
        "name: \"m\" max_batch_size: " + std::to_string(max_batch_size) + " " + extra, "test");
    EXPECT_TRUE(config.ok()) << config.status().message();
    return BuildWarmup(*config, files_.path(), files_.path("m"));
  }
  static std::string Input(const std::string& type, const std::string& dims,
                           const std::string& data) {
    return "inputs { key: \"X\" value { data_type: TYPE_" + type + " dims: [ " + dims + " ] " +
           data + " } }";
  }
  static std::string Sample(const std::string& input, const std::string& rest = "batch_size: 1") {
    return "model_warmup { name: \"s\" " + rest + " " + input + " }";
  }
  Tensor Only(const std::string& input) {
    auto samples = Build(Sample(input));
    EXPECT_TRUE(samples.ok()) << samples.status().message();
    return samples.ok() ? samples->at(0).inputs.at(0).tensor : Tensor();
  }
  std::string Fault(const std::string& sample) {
    return std::string(Build(sample).status().message());
  }

  TemporaryRepository files_;
};

TEST_F(WarmupSamplesTest, Zeros_HaveTheBatchDimensionWhereThereIsOne) {
  const Tensor tensor = Only(Input("FP32", "2, 3", "zero_data: true"));
  EXPECT_EQ(tensor.shape, (Shape{1, 2, 3}));
  EXPECT_EQ(tensor.data.view(), std::string(24, '\0'));
  const auto flat = Build(Sample(Input("INT64", "2", "zero_data: true")), 0).value();
  EXPECT_EQ(flat[0].inputs[0].tensor.shape, (Shape{2}));
  EXPECT_EQ(flat[0].inputs[0].tensor.data.size(), 16u);
}

TEST_F(WarmupSamplesTest, RandomValues_AreOnesThatTheTypeHas) {
  const Tensor floats = Only(Input("FP32", "1000", "random_data: true"));
  ASSERT_EQ(floats.data.size(), 4000u);
  for (std::size_t i = 0; i < 1000; ++i) {
    float value;
    std::memcpy(&value, floats.data.data() + 4 * i, sizeof(value));
    ASSERT_TRUE(value >= 0 && value <= 1);
  }
  const Tensor booleans = Only(Input("BOOL", "1000", "random_data: true"));
  for (const char byte : booleans.data.view()) {
    ASSERT_TRUE(byte == 0 || byte == 1);
  }
  for (const char* type : {"FP16", "BF16"}) {
    const Tensor halves = Only(Input(type, "1000", "random_data: true"));
    const unsigned infinity = std::string(type) == "FP16" ? 0x7c00 : 0x7f80;
    for (std::size_t i = 0; i < 1000; ++i) {
      std::uint16_t value;
      std::memcpy(&value, halves.data.data() + 2 * i, sizeof(value));
      ASSERT_NE(value & infinity, infinity);
    }
  }
}

TEST_F(WarmupSamplesTest, Strings_AreWellFormed) {
  const Tensor zeros = Only(Input("STRING", "3", "zero_data: true"));
  EXPECT_TRUE(ValidateBytesTensor(zeros, 3, "X", "m").ok());
  const Tensor random = Only(Input("STRING", "3", "random_data: true"));
  EXPECT_TRUE(ValidateBytesTensor(random, 3, "X", "m").ok());
  EXPECT_EQ(SplitBytesElements(random.data.view())->at(2).size(), 8u);
}

TEST_F(WarmupSamplesTest, ReadsFilesOfTheWarmupDirectory) {
  files_.File("m/warmup/data", "abcdefgh");
  EXPECT_EQ(Only(Input("INT32", "2", "input_data_file: \"data\"")).data.view(), "abcdefgh");
  EXPECT_EQ(Only(Input("INT32", "1", "input_data_file: \"data\"")).data.view(), "abcd");
  EXPECT_EQ(Fault(Sample(Input("INT32", "3", "input_data_file: \"data\""))),
            "warmup sample 's': input 'X': warmup setting expects 12 bytes, but the data file has "
            "8");
  EXPECT_THAT(Fault(Sample(Input("INT32", "3", "input_data_file: \"none\""))), HasSubstr("none"));
}

TEST_F(WarmupSamplesTest, FilesOutsideOfItAreRefused) {
  files_.File("secret", "abcd");
  std::filesystem::create_directories(files_.path("m/warmup"));
  for (const char* file : {"../../secret", "/etc/passwd", ".."}) {
    EXPECT_THAT(
        Fault(Sample(Input("INT32", "1", std::string("input_data_file: \"") + file + "\""))),
        HasSubstr(file));
  }
  std::filesystem::create_symlink("/etc/passwd", files_.path("m/warmup/link"));
  EXPECT_NE(Fault(Sample(Input("INT8", "1", "input_data_file: \"link\""))), "");
}

TEST_F(WarmupSamplesTest, CountsExecutionsAndRequests) {
  const std::string input = Input("FP32", "1", "zero_data: true");
  const auto samples = Build(Sample(input, "batch_size: 0") +
                             Sample(input, "batch_size: 3 count: 7") + Sample(input))
                           .value();
  ASSERT_EQ(samples.size(), 2u) << "batch size 0 is left out";
  EXPECT_EQ(samples[0].request_count, 3u);
  EXPECT_EQ(samples[0].count, 7u);
  EXPECT_EQ(samples[1].count, 1u);
}

TEST_F(WarmupSamplesTest, RefusesWhatMakesNoSense) {
  const std::string input = Input("FP32", "1", "zero_data: true");
  EXPECT_EQ(Fault(Sample(input, "batch_size: 9")),
            "warmup sample 's': 'batch_size' 9 is larger than the 8 that model 'm' takes");
  EXPECT_THAT(Fault(Sample(input, "batch_size: 1 count: 100001")), HasSubstr("at most 100000"));
  EXPECT_THAT(Fault(Sample(Input("FP32", "-1", "zero_data: true"))),
              HasSubstr("expects all variable-size dimensions are specified for input 'X'"));
  EXPECT_THAT(Fault(Sample(Input("FP32", "1", ""))), HasSubstr("must specify 'zero_data'"));
  EXPECT_THAT(Fault(Sample("inputs { key: \"X\" value { zero_data: true } }")),
              HasSubstr("must specify 'data_type'"));
  EXPECT_THAT(Fault(Sample(Input("FP32", "4611686018427387904, 4", "zero_data: true"))),
              HasSubstr("asks for more than"));
  EXPECT_THAT(Fault(Sample(Input("FP32", "1000000000", "zero_data: true"))),
              HasSubstr("asks for more than"));
}

}  // namespace
}  // namespace headrace::repository

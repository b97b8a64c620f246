#include "repository/accelerator_switches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

inference::ModelConfig Parse(const char* text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return *std::move(config);
}

constexpr const char* kOnCpu = "backend: \"onnxruntime\" instance_group { kind: KIND_CPU }";
constexpr const char* kOnGpu = "backend: \"onnxruntime\" instance_group { kind: KIND_GPU }";

std::vector<std::string> Cpu(const inference::ModelConfig& config) {
  std::vector<std::string> names;
  for (const auto& a : config.optimization().execution_accelerators().cpu_execution_accelerator()) {
    names.push_back(a.name());
  }
  return names;
}
std::vector<std::string> Gpu(const inference::ModelConfig& config) {
  std::vector<std::string> names;
  for (const auto& a : config.optimization().execution_accelerators().gpu_execution_accelerator()) {
    names.push_back(a.name());
  }
  return names;
}

TEST(AddAcceleratorsTest, ChangesNothing_WhereNothingIsSwitchedOn) {
  inference::ModelConfig config = Parse(kOnCpu);
  EXPECT_THAT(AddAccelerators({.openvino = {"other"}, .tensorrt = {"other"}}, "m", config),
              IsEmpty());
  EXPECT_FALSE(config.has_optimization());
}

TEST(AddAcceleratorsTest, AddsToTheNamedModelAndToAll) {
  for (const char* name : {"m", "*"}) {
    inference::ModelConfig config = Parse(kOnGpu);
    EXPECT_THAT(AddAccelerators({.openvino = {name}, .tensorrt = {name}}, "m", config), IsEmpty());
    EXPECT_THAT(Cpu(config), ElementsAre("openvino"));
    EXPECT_THAT(Gpu(config), ElementsAre("tensorrt"));
  }
}

TEST(AddAcceleratorsTest, AddsWhatIsThereNoSecondTime) {
  inference::ModelConfig config = Parse(
      "backend: \"onnxruntime\" optimization { execution_accelerators {"
      " cpu_execution_accelerator { name: \"openvino\" parameters { key: \"NUM_STREAMS\""
      " value: \"2\" } } } }");
  EXPECT_THAT(AddAccelerators({.openvino = {"m"}, .tensorrt = {}}, "m", config), IsEmpty());
  EXPECT_THAT(Cpu(config), ElementsAre("openvino"));
}

TEST(AddAcceleratorsTest, GivesTensorRtToAllOnGpusOnly_AndToTheNamedOneInAnyCase) {
  inference::ModelConfig all = Parse(kOnCpu);
  EXPECT_THAT(AddAccelerators({.openvino = {}, .tensorrt = {"*"}}, "m", all), IsEmpty());
  EXPECT_THAT(Gpu(all), IsEmpty());
  inference::ModelConfig named = Parse(kOnCpu);
  EXPECT_THAT(AddAccelerators({.openvino = {}, .tensorrt = {"m"}}, "m", named), IsEmpty());
  EXPECT_THAT(Gpu(named), ElementsAre("tensorrt"));
}

TEST(AddAcceleratorsTest, WarnsOfANamedModelWhoseBackendHasNone) {
  inference::ModelConfig config = Parse("backend: \"identity\"");
  EXPECT_THAT(AddAccelerators({.openvino = {"*", "m"}, .tensorrt = {"*"}}, "m", config),
              ElementsAre(HasSubstr("--enable-openvino names this model, but backend 'identity'")));
  EXPECT_FALSE(config.has_optimization());
}

TEST(NamedModelsTest, ListsEachOnce) {
  EXPECT_THAT(NamedModels({.openvino = {"a", "*", "b"}, .tensorrt = {"b", "c"}}),
              ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace headrace::repository

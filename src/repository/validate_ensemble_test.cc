#include <gtest/gtest.h>

#include <string>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"
#include "repository/validate.h"

namespace headrace::repository {
namespace {

// "a>b" is a step that reads a and writes b; both may be lists like "a+c>b".
std::string Step(const std::string& flow, int version = -1) {
  std::string text = "step { model_name: \"x\" model_version: " + std::to_string(version);
  const std::size_t arrow = flow.find('>');
  int number = 0;
  const auto maps = [&](const char* field, std::string tensors) {
    tensors += '+';
    for (std::size_t plus; (plus = tensors.find('+')) != std::string::npos;
         tensors.erase(0, plus + 1)) {
      if (plus > 0) {
        text += " " + std::string(field) + " { key: \"k" + std::to_string(number++) +
                "\" value: \"" + tensors.substr(0, plus) + "\" }";
      }
    }
  };
  maps("input_map", flow.substr(0, arrow));
  maps("output_map", flow.substr(arrow + 1));
  return text + " }";
}

// What ValidateEnsemble says of an ensemble "m" with inputs A and B, outputs Y and Z, and `rest`.
std::string Verdict(const std::string& steps, const std::string& rest = "") {
  std::string text = "name: \"m\" platform: \"ensemble\" ensemble_scheduling { " + steps + " }";
  for (const char* name : {"A", "B"}) {
    text += " input { name: \"" + std::string(name) + "\" data_type: TYPE_FP32 dims: 1 }";
  }
  for (const char* name : {"Y", "Z"}) {
    text += " output { name: \"" + std::string(name) + "\" data_type: TYPE_FP32 dims: 1 }";
  }
  const auto config = ParseConfigText(text + rest, "test");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return ValidateEnsemble(*config).message();
}

TEST(ValidateEnsembleTest, TakesADataflow) {
  EXPECT_EQ(Verdict(Step("A+B>Y+Z")), "");
  EXPECT_EQ(Verdict(Step("A>c") + Step("B+c>d") + Step("d>Y") + Step("d+c>Z")), "");
  EXPECT_EQ(Verdict(Step("c>Y+Z") + Step("A+B>c")), "") << "the order of steps does not matter";
}

TEST(ValidateEnsembleTest, NamesWhatAStepLacks) {
  EXPECT_EQ(Verdict(""), "must specify 'step' for ensemble 'm'");
  EXPECT_EQ(Verdict("step { }"), "must specify 'model_name' in step 0 of ensemble 'm'");
  EXPECT_EQ(Verdict(Step("A+B>Y+Z") + Step(">c")),
            "must specify 'input_map' in step 1 of ensemble 'm'");
  EXPECT_EQ(Verdict(Step("A>")), "must specify 'output_map' in step 0 of ensemble 'm'");
  EXPECT_EQ(Verdict(Step("A+B>Y+Z", 0)),
            "'model_version' must be a version, or -1 for the newest, in step 0 of ensemble 'm'");
}

TEST(ValidateEnsembleTest, RefusesTensorsThatGoNowhere) {
  EXPECT_EQ(Verdict(Step("A>Y+Z")), "ensemble input 'B' for ensemble m' is not used");
  EXPECT_EQ(Verdict(Step("A+B>Y")), "ensemble output 'Z' for ensemble m' is not used");
  EXPECT_EQ(Verdict(Step("A+B>Y+Z+c")), "ensemble tensor 'c' is unused in ensemble 'm'");
}

TEST(ValidateEnsembleTest, RefusesTensorsThatAreWrittenTwice) {
  EXPECT_EQ(Verdict(Step("A+B>Y+Z") + Step("A>Y")),
            "ensemble tensor 'Y' can appear in an output map only once for ensemble 'm' step 1");
  EXPECT_EQ(Verdict(Step("A+B>Y+Z") + Step("B>A")),
            "ensemble tensor 'A' can appear in an output map only once for ensemble 'm' step 1");
}

TEST(ValidateEnsembleTest, RefusesTensorsThatNobodyWrites) {
  EXPECT_EQ(Verdict(Step("A+B+c>Y+Z")),
            "output 'Y' for ensemble 'm' is not written: at least one of its depending tensors, "
            "'c', is not connected");
  EXPECT_EQ(Verdict(Step("A+B>Z") + Step("c>Y") + Step("Y>c")),
            "output 'Y' for ensemble 'm' is not written")
      << "a circle of steps";
  EXPECT_EQ(Verdict(Step("A+B>Y+Z") + Step("c>d") + Step("d>c")),
            "ensemble tensor 'c' is not written in ensemble 'm'");
}

TEST(ValidateEnsembleTest, RefusesFieldsOfOtherModels) {
  const std::string good = Step("A+B>Y+Z");
  EXPECT_EQ(Verdict(good, " instance_group { count: 1 }"),
            "instance group should not be specified for ensemble 'm'");
  EXPECT_EQ(Verdict(good, " optimization { }"),
            "optimization should not be specified for ensemble 'm'");
  EXPECT_EQ(Verdict(good, " model_warmup { name: \"w\" }"),
            "model_warmup can not be specified for ensemble 'm'");
}

TEST(ValidateEnsembleTest, LimitsTheSteps) {
  std::string steps;
  for (int i = 0; i < kEnsembleStepCountMax; ++i) {
    steps += Step("A>t" + std::to_string(i));
  }
  EXPECT_EQ(Verdict(steps + Step("A+B>Y+Z")), "ensemble 'm' has more than 1024 steps");
}

}  // namespace
}  // namespace headrace::repository

#include "engine/ensemble_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ModelSignature Signature(std::int64_t batch_size_max, TensorSpec input, TensorSpec output) {
  ModelSignature signature;
  signature.batch_size_max = batch_size_max;
  signature.inputs.push_back(std::move(input));
  signature.outputs.push_back(std::move(output));
  return signature;
}

TensorSpec Fp32(const std::string& name, Shape dims) {
  return {.name = name, .dtype = DataType::kFp32, .dims = dims};
}

class EnsemblePlanTest : public ::testing::Test {
 protected:
  // X -> a -> t -> b -> Y
  EnsembleSpec spec_{.name = "e",
                     .steps = {{.model = "a", .inputs = {{"I", "X"}}, .outputs = {{"O", "t"}}},
                               {.model = "b", .inputs = {{"I", "t"}}, .outputs = {{"O", "Y"}}}}};
  ModelSignature ensemble_ = Signature(8, Fp32("X", {-1}), Fp32("Y", {-1}));
  ModelSignature a_ = Signature(8, Fp32("I", {-1}), Fp32("O", {-1}));
  ModelSignature b_ = a_;

  Result<EnsemblePlan> Make(bool a_decoupled = false) {
    return MakeEnsemblePlan(spec_, ensemble_, {{&a_, a_decoupled}, {&b_}});
  }
  std::string Fault() { return Make().status().message(); }
};

TEST_F(EnsemblePlanTest, KnowsWhoReadsWhat) {
  const auto plan = Make().value();
  ASSERT_EQ(plan.tensors.size(), 3u);
  EXPECT_THAT(plan.tensors[plan.FindTensor("X")].readers, ElementsAre(0));
  EXPECT_THAT(plan.tensors[plan.FindTensor("t")].readers, ElementsAre(1));
  EXPECT_TRUE(plan.tensors[plan.FindTensor("Y")].is_output);
  EXPECT_FALSE(plan.decoupled);
}

TEST_F(EnsemblePlanTest, NamesTensorsThatModelsDoNotHave) {
  spec_.steps[0].inputs = {{"Z", "X"}};
  EXPECT_EQ(Fault(),
            "in ensemble e, ensemble tensor X is mapping to non-existing input Z in model a");
  spec_.steps[0].inputs = {{"I", "X"}};
  spec_.steps[1].outputs = {{"Z", "Y"}};
  EXPECT_EQ(Fault(),
            "in ensemble e, ensemble tensor Y is mapping to non-existing output Z in model b");
}

TEST_F(EnsemblePlanTest, WantsEveryInputThatIsNotOptional) {
  b_.inputs.push_back(Fp32("J", {1}));
  EXPECT_EQ(Fault(), "in ensemble e, input J in model b is not mapped to any ensemble tensors");
  b_.inputs.back().optional = true;
  EXPECT_EQ(Fault(), "");
}

TEST_F(EnsemblePlanTest, ComparesDataTypesAndShapes) {
  b_.inputs[0].dtype = DataType::kBytes;
  EXPECT_EQ(Fault(),
            "in ensemble e, ensemble tensor t: inconsistent data type: TYPE_STRING is inferred "
            "from model b while TYPE_FP32 is inferred from model a");
  b_.inputs[0] = Fp32("I", {-1, 2});
  EXPECT_EQ(Fault(),
            "in ensemble e, ensemble tensor t: inconsistent shape: [-1,-1,2] is inferred from "
            "model b while [-1,-1] is inferred from model a");
}

TEST_F(EnsemblePlanTest, TakesModelsThatHaveTheBatchDimensionInTheirShape) {
  b_ = Signature(0, Fp32("I", {-1, -1}), Fp32("O", {-1, -1}));
  EXPECT_EQ(Fault(), "");
  b_ = Signature(0, Fp32("I", {-1}), Fp32("O", {-1}));
  EXPECT_EQ(Fault(), "");
}

TEST_F(EnsemblePlanTest, RefusesLargerBatchesThanAModelTakes) {
  a_.batch_size_max = 4;
  EXPECT_EQ(Fault(),
            "ensemble e allows maximum batch size 8, but it contains model a which only allows "
            "maximum batch size to be 4");
}

TEST_F(EnsemblePlanTest, WhatLiesBehindADecoupledStep_Iterates) {
  const auto plan = Make(true).value();
  EXPECT_TRUE(plan.decoupled);
  EXPECT_FALSE(plan.steps[0].iterated);
  EXPECT_TRUE(plan.steps[1].iterated);
  EXPECT_TRUE(plan.tensors[plan.FindTensor("Y")].iterated);
  EXPECT_FALSE(plan.tensors[plan.FindTensor("X")].iterated);
}

TEST_F(EnsemblePlanTest, RefusesALimitThatCouldMakeAModelWaitForItself) {
  spec_.inflight_max = 1;
  EXPECT_TRUE(Make(true).ok());
  spec_.steps[1].model = "a";
  EXPECT_THAT(Make(true).status().message(), HasSubstr("would let model 'a' wait for itself"));
  EXPECT_TRUE(Make(false).ok());
}

TEST_F(EnsemblePlanTest, FindsTheStepsThatAnOutputNeeds) {
  spec_.steps.push_back({.model = "b", .inputs = {{"I", "X"}}, .outputs = {{"O", "Z"}}});
  ensemble_.outputs.push_back(Fp32("Z", {-1}));
  const auto plan = MakeEnsemblePlan(spec_, ensemble_, {{&a_}, {&b_}, {&b_}}).value();
  EXPECT_THAT(NeededSteps(plan, {}), ElementsAre(true, true, true));
  EXPECT_THAT(NeededSteps(plan, {"Y"}), ElementsAre(true, true, false));
  EXPECT_THAT(NeededSteps(plan, {"Z"}), ElementsAre(false, false, true));
}

TEST(AdaptShapeTest, AddsOrTakesAwayABatchDimensionOfOne) {
  const TensorSpec spec = Fp32("I", {2, -1});
  EXPECT_EQ(AdaptShape(spec, true, Shape{2, 5}), (Shape{1, 2, 5}));
  EXPECT_EQ(AdaptShape(spec, true, Shape{4, 2, 5}), (Shape{4, 2, 5}));
  EXPECT_EQ(AdaptShape(spec, true, Shape{3, 5}), (Shape{3, 5})) << "fits neither way";
  EXPECT_EQ(AdaptShape(spec, false, Shape{1, 2, 5}), (Shape{2, 5}));
  EXPECT_EQ(AdaptShape(spec, false, Shape{2, 2, 5}), (Shape{2, 2, 5})) << "two items";
  EXPECT_EQ(AdaptShape(spec, false, Shape{2, 5}), (Shape{2, 5}));
}

}  // namespace
}  // namespace headrace::engine

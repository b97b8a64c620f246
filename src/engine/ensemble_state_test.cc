#include "engine/ensemble_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace headrace::engine {
namespace {

using ::testing::ElementsAre;

// "a>b" is a step that reads a and writes b, "a>>b" a decoupled one; model tensors are called as
// the ensemble's. Inputs are X and W, outputs Y and Z where steps name them.
EnsemblePlan Plan(const std::vector<std::string>& flows) {
  EnsembleSpec spec{.name = "e", .steps = {}};
  std::vector<ModelSignature> models(flows.size());
  std::vector<ComposingSignature> composing;
  ModelSignature ensemble;
  std::string all;
  const auto tensor = [](char name) {
    return TensorSpec{.name = std::string(1, name), .dtype = DataType::kFp32, .dims = {1}};
  };
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const std::string& flow = flows[i];
    EnsembleStepSpec step{.model = "m" + std::to_string(i), .inputs = {}, .outputs = {}};
    bool behind = false;
    for (const char c : flow) {
      if (c == '>') {
        behind = true;
        continue;
      }
      const std::string name(1, c);
      (behind ? step.outputs : step.inputs).emplace_back(name, name);
      (behind ? models[i].outputs : models[i].inputs).push_back(tensor(c));
    }
    composing.push_back({&models[i], flow.find(">>") != std::string::npos});
    spec.steps.push_back(std::move(step));
    all += flow;
  }
  for (const char c : {'X', 'W'}) {
    if (all.find(c) != std::string::npos) {
      ensemble.inputs.push_back(tensor(c));
      ensemble.inputs.back().optional = c == 'W';
    }
  }
  for (const char c : {'Y', 'Z'}) {
    if (all.find(c) != std::string::npos) {
      ensemble.outputs.push_back(tensor(c));
    }
  }
  auto plan = MakeEnsemblePlan(spec, ensemble, composing);
  EXPECT_TRUE(plan.ok()) << plan.status().message();
  return *std::move(plan);
}

NamedTensor Value(const std::string& name, const std::string& content) {
  NamedTensor value{.name = name, .tensor = {}};
  value.tensor.data = Buffer::FromString(content);
  return value;
}

class EnsembleStateTest : public ::testing::Test {
 protected:
  void Make(const std::vector<std::string>& flows, const std::vector<std::string>& wanted = {}) {
    plan_ = Plan(flows);
    state_.emplace(*plan_, wanted);
  }
  void Begin(std::vector<NamedTensor> inputs) { state_->Begin(std::move(inputs)); }
  // "step.iteration(inputs)" of everything that has become ready.
  std::vector<std::string> Ready() {
    std::vector<std::string> ready;
    while (state_->has_ready()) {
      const EnsembleState::Start start = state_->TakeReady();
      std::string text = std::to_string(start.step) + "." + std::to_string(start.iteration) + "(";
      for (const NamedTensor& input : start.inputs) {
        text += input.tensor.data.view();
        text += " ";
      }
      ready.push_back(text + ")");
    }
    return ready;
  }
  std::vector<std::string> Responses() {
    std::vector<std::string> responses;
    while (state_->has_response()) {
      std::string text;
      for (const NamedTensor& output : state_->TakeResponse().outputs) {
        text += output.name + "=";
        text += output.tensor.data.view();
        text += " ";
      }
      responses.push_back(text);
    }
    return responses;
  }
  void Accept(std::size_t step, std::uint64_t iteration, std::vector<NamedTensor> outputs) {
    state_->Accept(step, iteration, {.outputs = std::move(outputs), .parameters = {}});
  }

  std::optional<EnsemblePlan> plan_;
  std::optional<EnsembleState> state_;
};

TEST_F(EnsembleStateTest, RunsEveryStepWhoseInputsAreThere) {
  Make({"X>a", "X>b", "ab>Y"});
  Begin({Value("X", "x")});
  EXPECT_THAT(Ready(), ElementsAre("0.0(x )", "1.0(x )"));
  Accept(1, 0, {Value("b", "2")});
  EXPECT_THAT(Ready(), ElementsAre());
  Accept(0, 0, {Value("a", "1")});
  EXPECT_THAT(Ready(), ElementsAre("2.0(1 2 )"));
  EXPECT_FALSE(state_->complete());
  Accept(2, 0, {Value("Y", "3")});
  EXPECT_THAT(Responses(), ElementsAre("Y=3 "));
  EXPECT_TRUE(state_->complete());
}

TEST_F(EnsembleStateTest, LetsTensorsGo_WhenTheLastReaderHasThem) {
  Make({"X>a", "a>b", "b>Y"});
  Begin({Value("X", "x")});
  EXPECT_EQ(state_->held_count(), 0u) << "the ready step has it";
  Ready();
  Accept(0, 0, {Value("a", "1")});
  Ready();
  Accept(1, 0, {Value("b", "1")});
  Ready();
  Accept(2, 0, {Value("Y", "1")});
  EXPECT_EQ(state_->held_count(), 0u);
}

TEST_F(EnsembleStateTest, DropsOutputsThatNoTensorStandsFor) {
  Make({"X>a", "a>Y"});
  Begin({Value("X", "x")});
  Ready();
  Accept(0, 0, {Value("unknown", "?"), Value("a", "1")});
  EXPECT_THAT(Ready(), ElementsAre("1.0(1 )"));
}

TEST_F(EnsembleStateTest, RunsOnlyWhatTheWantedOutputsNeed) {
  Make({"X>aY", "a>Z"}, {"Y"});
  Begin({Value("X", "x")});
  EXPECT_THAT(state_->WantedOutputs(0), ElementsAre("Y"));
  Ready();
  Accept(0, 0, {Value("a", "1"), Value("Y", "2")});
  EXPECT_THAT(Ready(), ElementsAre());
  EXPECT_THAT(Responses(), ElementsAre("Y=2 "));
  EXPECT_TRUE(state_->complete());
}

TEST_F(EnsembleStateTest, InputsThatAreLeftOut_StayAway) {
  Make({"XW>Y"});
  Begin({Value("X", "x")});
  EXPECT_THAT(Ready(), ElementsAre("0.0(x )"));
}

TEST_F(EnsembleStateTest, IsNotComplete_WhenAStepLeavesATensorOut) {
  Make({"X>a", "a>Y"});
  Begin({Value("X", "x")});
  Ready();
  Accept(0, 0, {});
  EXPECT_FALSE(state_->has_ready());
  EXPECT_FALSE(state_->complete());
}

TEST_F(EnsembleStateTest, EachResponseOfADecoupledStep_GoesItsWay) {
  Make({"X>>a", "a>b", "ab>Y"});
  Begin({Value("X", "x")});
  Ready();
  Accept(0, 0, {Value("a", "a0")});
  Accept(0, 0, {Value("a", "a1")});
  EXPECT_THAT(Ready(), ElementsAre("1.0(a0 )", "1.1(a1 )"));
  Accept(1, 1, {Value("b", "b1")});
  EXPECT_THAT(Ready(), ElementsAre("2.1(a1 b1 )"));
  Accept(1, 0, {Value("b", "b0")});
  EXPECT_THAT(Ready(), ElementsAre("2.0(a0 b0 )"));
  Accept(2, 1, {Value("Y", "y1")});
  Accept(2, 0, {Value("Y", "y0")});
  EXPECT_THAT(Responses(), ElementsAre("Y=y1 ", "Y=y0 "));
  EXPECT_TRUE(state_->complete());
  EXPECT_EQ(state_->held_count(), 0u);
}

TEST_F(EnsembleStateTest, TensorsFromBefore_AreThereForEachIteration) {
  Make({"X>>a", "X>b", "ab>Y"});
  Begin({Value("X", "x")});
  Ready();
  Accept(0, 0, {Value("a", "a0")});
  Accept(0, 0, {Value("a", "a1")});
  EXPECT_THAT(Ready(), ElementsAre());
  Accept(1, 0, {Value("b", "b")});
  EXPECT_THAT(Ready(), ElementsAre("2.0(a0 b )", "2.1(a1 b )"));
  Accept(0, 0, {Value("a", "a2")});
  EXPECT_THAT(Ready(), ElementsAre("2.2(a2 b )"));
}

TEST_F(EnsembleStateTest, TwoDecoupledSteps_MeetByNumber) {
  Make({"X>>a", "X>>b", "ab>Y"});
  Begin({Value("X", "x")});
  Ready();
  Accept(0, 0, {Value("a", "a0")});
  Accept(0, 0, {Value("a", "a1")});
  Accept(1, 0, {Value("b", "b0")});
  EXPECT_THAT(Ready(), ElementsAre("2.0(a0 b0 )"));
  Accept(1, 0, {Value("b", "b1")});
  EXPECT_THAT(Ready(), ElementsAre("2.1(a1 b1 )"));
}

TEST_F(EnsembleStateTest, ADecoupledStepBehindAnother_NumbersItsResponsesInARow) {
  Make({"X>>a", "a>>Y"});
  Begin({Value("X", "x")});
  Ready();
  Accept(0, 0, {Value("a", "a0")});
  Accept(0, 0, {Value("a", "a1")});
  EXPECT_THAT(Ready(), ElementsAre("1.0(a0 )", "1.1(a1 )"));
  for (const std::uint64_t iteration : {0, 1, 0}) {
    Accept(1, iteration, {Value("Y", std::to_string(iteration))});
  }
  EXPECT_THAT(Responses(), ElementsAre("Y=0 ", "Y=1 ", "Y=0 "));
  EXPECT_TRUE(state_->complete());
}

TEST_F(EnsembleStateTest, ADecoupledEnsemble_MayAnswerWithNothing) {
  Make({"X>>a", "a>Y"});
  Begin({Value("X", "x")});
  Ready();
  EXPECT_TRUE(state_->complete());
}

TEST_F(EnsembleStateTest, ADecoupledStepThatNeverRan_IsNotComplete) {
  Make({"X>a", "a>>Y"});
  Begin({Value("X", "x")});
  Ready();
  Accept(0, 0, {});
  EXPECT_FALSE(state_->complete());
}

}  // namespace
}  // namespace headrace::engine

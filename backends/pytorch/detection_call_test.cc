#include "pytorch/detection_call.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <string>

namespace headrace::backend {
namespace {

using testing::HasSubstr;

constexpr char kScript[] = R"JIT(
def forward(self, images: List[Tensor], targets: Optional[List[Dict[str, Tensor]]] = None
            ) -> Tuple[Dict[str, Tensor], List[Dict[str, Tensor]]]:
    losses : Dict[str, Tensor] = {}
    found : List[Dict[str, Tensor]] = []
    for image in images:
        count = int(image[0, 0, 0])
        found.append({"boxes": torch.ones(count, 4) * count, "scores": torch.ones(count) * count})
    return losses, found
)JIT";

ModelConfig ConfigOf(std::initializer_list<const char*> outputs) {
  ModelConfig config;
  config.max_batch_size = 4;
  config.inputs.push_back({});
  config.inputs.back().name = "image";
  for (const char* output : outputs) {
    config.outputs.push_back({});
    config.outputs.back().name = output;
  }
  return config;
}

torch::jit::Module ModuleOf(const std::string& script) {
  torch::jit::Module module("m");
  module.define(script);
  return module;
}

std::string PlanFailure(const std::string& script, const ModelConfig& config) {
  const torch::jit::Module module = ModuleOf(script);
  DetectionCall call;
  const Error error =
      DetectionCall::Plan(module.get_method("forward").function().getSchema(), config, &call);
  return error.ok() ? "" : error.message();
}

TEST(DetectionCallTest, Answer_IsFilledUpToTheMostDetectionsOfAnImage) {
  const torch::jit::Module module = ModuleOf(kScript);
  const torch::jit::Method forward = module.get_method("forward");
  DetectionCall call;
  ASSERT_TRUE(DetectionCall::Plan(forward.function().getSchema(),
                                  ConfigOf({"scores", "count", "boxes"}), &call)
                  .ok());
  at::Tensor images = at::ones({3, 3, 2, 2});
  images[1].fill_(3);
  images[2].fill_(0);
  std::vector<c10::IValue> outputs(3);
  const c10::IValue answer = torch::jit::Method(forward)(call.Arguments(images));
  ASSERT_TRUE(call.Outputs(answer, 3, {true, true, true}, &outputs).ok());
  const at::Tensor scores = outputs[0].toTensor(), boxes = outputs[2].toTensor();
  EXPECT_EQ(scores.sizes().vec(), (std::vector<std::int64_t>{3, 3}));
  EXPECT_EQ(boxes.sizes().vec(), (std::vector<std::int64_t>{3, 3, 4}));
  EXPECT_EQ(scores[0][0].item<float>(), 1);
  EXPECT_EQ(scores[0][1].item<float>(), 0);
  EXPECT_EQ(boxes[1][2][3].item<float>(), 3);
  EXPECT_EQ(boxes[2].abs().sum().item<float>(), 0);
  const at::Tensor count = outputs[1].toTensor();
  EXPECT_EQ(count.sizes().vec(), (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(count[0].item<std::int64_t>(), 1);
  EXPECT_EQ(count[1].item<std::int64_t>(), 3);
  EXPECT_EQ(count[2].item<std::int64_t>(), 0);
}

TEST(DetectionCallTest, Answer_IsRefusedIfItHasNotWhatIsAskedFor) {
  const torch::jit::Module module = ModuleOf(kScript);
  torch::jit::Method forward = module.get_method("forward");
  DetectionCall call;
  ASSERT_TRUE(DetectionCall::Plan(forward.function().getSchema(), ConfigOf({"masks"}), &call).ok());
  std::vector<c10::IValue> outputs(1);
  const c10::IValue answer = forward(call.Arguments(at::ones({2, 3, 2, 2})));
  EXPECT_THAT(call.Outputs(answer, 2, {true}, &outputs).message(), HasSubstr("'masks'"));
  EXPECT_TRUE(call.Outputs(answer, 2, {false}, &outputs).ok());
  EXPECT_THAT(call.Outputs(answer, 3, {true}, &outputs).message(), HasSubstr("3 images"));
  EXPECT_THAT(call.Outputs(at::ones({2}), 2, {true}, &outputs).message(), HasSubstr("no list"));
}

TEST(DetectionCallTest, Plan_RefusesOtherForms) {
  EXPECT_EQ(PlanFailure(kScript, ConfigOf({"boxes"})), "");
  EXPECT_EQ(PlanFailure("def forward(self, x: Tensor) -> List[Dict[str, Tensor]]:\n"
                        "    return [{'boxes': x}]\n",
                        ConfigOf({"boxes"})),
            "");
  EXPECT_THAT(
      PlanFailure("def forward(self, x: Tensor) -> Tensor:\n    return x\n", ConfigOf({"boxes"})),
      HasSubstr("List[Dict[str, Tensor]]"));
  EXPECT_THAT(PlanFailure("def forward(self, x: int) -> List[Dict[str, Tensor]]:\n"
                          "    return [{'boxes': torch.ones(x)}]\n",
                          ConfigOf({"boxes"})),
              HasSubstr("List[Tensor]"));
  EXPECT_THAT(PlanFailure("def forward(self, x: Tensor, y: Tensor) -> List[Dict[str, Tensor]]:\n"
                          "    return [{'boxes': x + y}]\n",
                          ConfigOf({"boxes"})),
              HasSubstr("argument 'y'"));
}

}  // namespace
}  // namespace headrace::backend

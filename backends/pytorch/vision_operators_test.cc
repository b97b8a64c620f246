#include "pytorch/vision_operators.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

// Against torchvision itself: tests/wire/test_vision_operators.py.
namespace headrace::backend {
namespace {

using testing::ElementsAre;

std::vector<std::int64_t> Kept(const at::Tensor& boxes, const at::Tensor& scores, double limit) {
  const at::Tensor kept = Nms(boxes, scores, limit);
  return {kept.const_data_ptr<std::int64_t>(), kept.const_data_ptr<std::int64_t>() + kept.numel()};
}

TEST(VisionOperatorsTest, Nms_KeepsTheBestOfThoseThatOverlap) {
  // The second covers half of the union with the first, the third is elsewhere.
  const at::Tensor boxes =
      at::tensor({0., 0., 2., 2., 0., 0., 1., 2., 5., 5., 6., 6.}).reshape({3, 4}).to(at::kFloat);
  EXPECT_THAT(Kept(boxes, at::tensor({0.5F, 0.9F, 0.7F}), 0.4), ElementsAre(1, 2));
  EXPECT_THAT(Kept(boxes, at::tensor({0.5F, 0.9F, 0.7F}), 0.5), ElementsAre(1, 2, 0));
  // Of equal scores the first one is better.
  EXPECT_THAT(Kept(boxes, at::tensor({0.9F, 0.9F, 0.9F}), 0.4), ElementsAre(0, 2));
  EXPECT_THAT(Kept(boxes.to(at::kDouble), at::tensor({0.5, 0.9, 0.7}), 0.4), ElementsAre(1, 2));
  EXPECT_THAT(Kept(boxes.to(at::kHalf), at::tensor({0.5F, 0.9F, 0.7F}).to(at::kHalf), 0.4),
              ElementsAre(1, 2));
  EXPECT_THAT(Kept(at::ones({0, 4}), at::ones({0}), 0.4), ElementsAre());
  // Boxes without an area overlap nothing.
  EXPECT_THAT(Kept(at::ones({2, 4}), at::ones({2}), 0.4), ElementsAre(0, 1));
}

TEST(VisionOperatorsTest, Nms_RefusesOtherShapes) {
  EXPECT_THROW(Nms(at::ones({3, 5}), at::ones({3}), 0.5), c10::Error);
  EXPECT_THROW(Nms(at::ones({3, 4}), at::ones({2}), 0.5), c10::Error);
}

TEST(VisionOperatorsTest, RoiAlign_AveragesBilinearSamples) {
  // Values are their columns: a sample is its x.
  const at::Tensor input = at::arange(8).to(at::kFloat).expand({1, 1, 8, 8});
  const at::Tensor roi = at::tensor({0., 2., 1., 6., 5.}).reshape({1, 5}).to(at::kFloat);
  const at::Tensor plain = RoiAlign(input, roi, 1, 2, 2, 2, false);
  EXPECT_EQ(plain.sizes().vec(), (std::vector<std::int64_t>{1, 1, 2, 2}));
  EXPECT_FLOAT_EQ(plain[0][0][0][0].item<float>(), 3);
  EXPECT_FLOAT_EQ(plain[0][0][1][1].item<float>(), 5);
  EXPECT_FLOAT_EQ(RoiAlign(input, roi, 1, 2, 2, 2, true)[0][0][0][0].item<float>(), 2.5);
  EXPECT_FLOAT_EQ(RoiAlign(input, roi, 0.5, 1, 1, 0, false)[0][0][0][0].item<float>(), 2);
}

TEST(VisionOperatorsTest, RoiAlign_TakesRegionsThatNoImageHas) {
  const at::Tensor input = at::ones({1, 2, 4, 4});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float far : {1e30F, -1e30F, nan, std::numeric_limits<float>::infinity()}) {
    const at::Tensor roi = at::tensor({0.F, far, far, far, far}).reshape({1, 5});
    EXPECT_EQ(RoiAlign(input, roi, 1, 2, 2, 2, false).abs().sum().item<float>(), 0) << far;
    EXPECT_EQ(RoiAlign(input, roi, 1, 2, 2, -1, true).abs().sum().item<float>(), 0) << far;
  }
  EXPECT_EQ(RoiAlign(input, at::ones({0, 5}), 1, 2, 2, 2, false).numel(), 0);
  const at::Tensor other = at::tensor({1.F, 0.F, 0.F, 1.F, 1.F}).reshape({1, 5});
  EXPECT_THROW(RoiAlign(input, other, 1, 2, 2, 2, false), c10::Error);
  EXPECT_THROW(RoiAlign(input, at::ones({1, 4}), 1, 2, 2, 2, false), c10::Error);
}

TEST(VisionOperatorsTest, Register_MakesThemKnownOnce) {
  RegisterVisionOperators();
  RegisterVisionOperators();
  for (const char* name : {"torchvision::nms", "torchvision::roi_align"}) {
    EXPECT_TRUE(c10::Dispatcher::singleton().findSchema({name, ""}).has_value()) << name;
  }
  const at::Tensor kept = c10::Dispatcher::singleton()
                              .findSchemaOrThrow("torchvision::nms", "")
                              .typed<at::Tensor(const at::Tensor&, const at::Tensor&, double)>()
                              .call(at::ones({1, 4}), at::ones({1}), 0.5);
  EXPECT_EQ(kept.numel(), 1);
}

}  // namespace
}  // namespace headrace::backend

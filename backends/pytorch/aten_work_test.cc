#include "pytorch/aten_work.h"

#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

AtenArgument Tensor(std::vector<std::int64_t> dims, std::vector<std::int64_t> strides = {}) {
  return {.tensor = {std::move(dims), 4}, .strides = std::move(strides), .integers = {}};
}

AtenArgument Integers(std::vector<std::int64_t> integers) {
  return {.tensor = {}, .strides = {}, .integers = std::move(integers)};
}

OperatorWork Work(std::string_view name, const std::vector<AtenArgument>& arguments) {
  return WorkOfAten(name, arguments, 0);
}

TEST(AtenWorkTest, Convolution_IsTheSame_HoweverItIsCalled) {
  const AtenArgument image = Tensor({2, 3, 64, 64});
  const AtenArgument weights = Tensor({64, 3, 7, 7});
  const AtenArgument stride = Integers({2, 2}), padding = Integers({3, 3}), one = Integers({1, 1});
  constexpr std::uint64_t kOutputs = 2 * 64 * 32 * 32;
  const OperatorWork inner =
      Work("aten::mkldnn_convolution", {image, weights, {}, padding, stride, one, Integers({1})});
  EXPECT_EQ(inner.flops, 2 * kOutputs * 147);
  EXPECT_EQ(inner.moved_byte_size, 4 * (kOutputs + 2 * 3 * 64 * 64 + 64 * 147));
  EXPECT_EQ(Work("aten::conv2d", {image, weights, {}, stride, padding, one, Integers({1})}).flops,
            inner.flops);
  EXPECT_EQ(Work("aten::_convolution",
                 {image, weights, {}, stride, padding, one, Integers({0}), {}, Integers({1})})
                .flops,
            inner.flops);
}

TEST(AtenWorkTest, Convolution_ThatIsTransposed_CountsItsInputs) {
  const AtenArgument one = Integers({1, 1}), none = Integers({0, 0});
  const OperatorWork work = Work("aten::convolution", {Tensor({1, 4, 5, 5}),
                                                       Tensor({4, 2, 3, 3}),
                                                       {},
                                                       one,
                                                       none,
                                                       one,
                                                       Integers({1}),
                                                       none,
                                                       Integers({1})});
  EXPECT_EQ(work.flops, 2u * 100 * 18);
  EXPECT_EQ(work.moved_byte_size, 0u);
}

TEST(AtenWorkTest, Convolution_IsNotKnown_WithoutItsNumbers) {
  const AtenArgument image = Tensor({2, 3, 4, 4});
  const AtenArgument weights = Tensor({8, 3, 7, 7});
  const AtenArgument one = Integers({1, 1});
  EXPECT_EQ(Work("aten::conv2d", {image, weights, {}, {}, {}, {}, {}}).flops, 0u);
  EXPECT_EQ(Work("aten::conv2d", {image, weights}).flops, 0u);
  EXPECT_EQ(Work("aten::conv2d", {image, weights, {}, Integers({0}), one, one, one}).flops, 0u);
  // A kernel that is larger than the image.
  EXPECT_EQ(Work("aten::conv2d", {image, weights, {}, one, Integers({0}), one, one}).flops, 0u);
}

TEST(AtenWorkTest, Products_OfEachKind) {
  EXPECT_EQ(Work("aten::mm", {Tensor({2, 6}), Tensor({6, 5})}).flops, 120u);
  EXPECT_EQ(Work("aten::linear", {Tensor({7, 2, 6}), Tensor({5, 6}), Tensor({5})}).flops, 840u);
  EXPECT_EQ(Work("aten::bmm", {Tensor({7, 2, 6}), Tensor({7, 6, 5})}).flops, 840u);
  EXPECT_EQ(Work("aten::matmul", {Tensor({1, 2, 6}), Tensor({7, 6, 5})}).flops, 0u);
  EXPECT_EQ(Work("aten::mm", {Tensor({2, 6}), Tensor({4, 5})}).flops, 0u);
  // The bias is repeated for each row, and read once.
  const OperatorWork addmm =
      Work("aten::addmm", {Tensor({2, 5}, {0, 1}), Tensor({2, 6}), Tensor({6, 5})});
  EXPECT_EQ(addmm.flops, 120u);
  EXPECT_EQ(addmm.moved_byte_size, 4u * (5 + 12 + 30 + 10));
}

TEST(AtenWorkTest, Attention_IsTwoProducts_UnlessItIsCausal) {
  const std::vector<AtenArgument> whole = {Tensor({1, 2, 3, 8}), Tensor({1, 2, 4, 8}),
                                           Tensor({1, 2, 4, 8}), Integers({}), Integers({0})};
  EXPECT_EQ(Work("aten::_scaled_dot_product_flash_attention_for_cpu", whole).flops,
            2u * 2 * (2 * 3 * 4 * 8));
  std::vector<AtenArgument> causal = whole;
  causal[4] = Integers({1});
  EXPECT_EQ(Work("aten::_scaled_dot_product_flash_attention_for_cpu", causal).flops, 0u);
}

TEST(AtenWorkTest, OtherOperators_MoveWholeTensors_OrAreNotKnown) {
  EXPECT_EQ(Work("aten::relu", {Tensor({2, 5})}).moved_byte_size, 80u);
  EXPECT_EQ(Work("aten::add", {Tensor({2, 1}), Tensor({5}), Integers({1})}).flops, 10u);
  EXPECT_EQ(Work("aten::copy_", {Tensor({2, 5}), Tensor({2, 5}, {0, 1})}).moved_byte_size, 60u);
  EXPECT_EQ(Work("aten::mean", {Tensor({2, 5})}).moved_byte_size, 40u);
  EXPECT_EQ(Work("aten::view", {Tensor({2, 5})}).moved_byte_size, 0u);
  EXPECT_EQ(Work("aten::relu", {Integers({1})}).moved_byte_size, 0u);
  EXPECT_EQ(Work("aten::relu", {}).moved_byte_size, 0u);
}

TEST(AtenWorkTest, TakesKinetosFlops_WhereNoRuleHasThem) {
  EXPECT_EQ(WorkOfAten("aten::special", {}, 9).flops, 9u);
  EXPECT_EQ(WorkOfAten("aten::mm", std::vector{Tensor({2, 6}), Tensor({6, 5})}, 9).flops, 120u);
}

TEST(AtenWorkTest, ElementByteSize_IsNotKnown_OfWhatIsNoTensor) {
  EXPECT_EQ(AtenElementByteSize("c10::BFloat16"), 2u);
  EXPECT_EQ(AtenElementByteSize("Scalar"), 0u);
}

}  // namespace
}  // namespace headrace::backend

#include "pytorch/package_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace headrace::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// As AOTInductor writes it, in parts.
std::string Dtype(int input, const std::string& dtype) {
  return "    int32_t arg_expected_dtype = aoti_torch_dtype_" + dtype +
         "();\n    ss << \"input_handles[" + std::to_string(input) + "]: unmatched dtype, \"\n";
}
std::string Check(int input, int dim, const std::string& message, const std::string& bound) {
  return "    ss << \"input_handles[" + std::to_string(input) + "]: " + message + " at " +
         std::to_string(dim) + ", \"\n       << \"" + bound + ", \" << \"but got: \"\n";
}
std::string Extent(int input, int dim, int extent) {
  return Check(input, dim, "unmatched dim value", "expected: " + std::to_string(extent));
}
std::string Range(int input, int dim, int min, int max) {
  return Check(input, dim, "dim value is too small",
               "expected it to be >= " + std::to_string(min)) +
         Check(input, dim, "dim value is too large", "expected to be <= " + std::to_string(max));
}
std::string Name(int input, const std::string& name) {
  return "    inputs_info_[" + std::to_string(input) + "].name = \"" + name + "\";\n";
}
std::string Sizes(const std::string& name, const std::string& sizes) {
  return "    if (_check_aoti_runtime_check_inputs_env()) { assert_size_stride(" + name + ", {" +
         sizes + "}, {1L}, \"input\"); }\n";
}

const std::string kTwoInputs = Name(0, "arg0_1") + Name(1, "arg1_1") +
                               "    outputs_info_[0].name = \"output0\";\n"
                               "    outputs_info_[1].name = \"output1\";\n" +
                               Dtype(0, "float32") + Range(0, 0, 2, 16) + Extent(0, 1, 64) +
                               Dtype(1, "int64") + Range(1, 0, 2, 16) + Sizes("arg0_1", "s0, 64L") +
                               Sizes("arg1_1", "s0, ");

TEST(PackageSource, TellsTypesAndShapes) {
  const PackageSource source = PackageSource::Read(kTwoInputs);
  ASSERT_EQ(source.inputs.size(), 2u);
  EXPECT_EQ(source.output_count, 2u);
  EXPECT_EQ(source.inputs[0].dtype, TRITONSERVER_TYPE_FP32);
  EXPECT_TRUE(source.inputs[0].rank_known);
  ASSERT_EQ(source.inputs[0].dims.size(), 2u);
  EXPECT_EQ(source.inputs[0].dims[0].extent, -1);
  EXPECT_EQ(source.inputs[0].dims[0].max, 16);
  EXPECT_EQ(source.inputs[0].dims[0].symbol, "s0");
  EXPECT_EQ(source.inputs[0].dims[1].extent, 64);
  EXPECT_EQ(source.inputs[1].dtype, TRITONSERVER_TYPE_INT64);
  ASSERT_EQ(source.inputs[1].dims.size(), 1u);
  EXPECT_EQ(source.BatchSizeMax(), 16);
}

TEST(PackageSource, ProbesWithTheSameExtentForASymbol) {
  const PackageSource source = PackageSource::Read(kTwoInputs);
  ASSERT_TRUE(source.CanBeProbed());
  EXPECT_THAT(source.ProbeShapes(0), ElementsAre(ElementsAre(2, 64), ElementsAre(2)));
  EXPECT_THAT(source.ProbeShapes(1), ElementsAre(ElementsAre(3, 64), ElementsAre(3)));
  EXPECT_THAT(source.ProbeShapes(15), IsEmpty());  // beyond 16
}

TEST(PackageSource, DoesNotProbeWhatItCannotMakeUp) {
  EXPECT_FALSE(PackageSource::Read("").CanBeProbed());
  // A rank that is not told; an expression; a type that the protocol lacks.
  EXPECT_FALSE(PackageSource::Read(Name(0, "a") + Dtype(0, "float32")).CanBeProbed());
  EXPECT_FALSE(PackageSource::Read(Name(0, "a") + Dtype(0, "float32") + Sizes("a", "2L*s0, 4L"))
                   .CanBeProbed());
  EXPECT_FALSE(
      PackageSource::Read(Name(0, "a") + Dtype(0, "complex64") + Sizes("a", "4L")).CanBeProbed());
}

TEST(PackageSource, AScalarHasNoDimensions) {
  const PackageSource source =
      PackageSource::Read(Name(0, "a") + Dtype(0, "float64") + Sizes("a", ""));
  ASSERT_EQ(source.inputs.size(), 1u);
  EXPECT_TRUE(source.inputs[0].rank_known);
  EXPECT_THAT(source.ProbeShapes(0), ElementsAre(IsEmpty()));
}

TEST(PackageSource, ChecksAloneTellAStaticShape) {
  const PackageSource source =
      PackageSource::Read(Dtype(0, "uint8") + Extent(0, 0, 1) + Extent(0, 1, 7));
  ASSERT_EQ(source.inputs.size(), 1u);
  EXPECT_TRUE(source.inputs[0].rank_known);
  EXPECT_THAT(source.ProbeShapes(0), ElementsAre(ElementsAre(1, 7)));
  EXPECT_EQ(source.BatchSizeMax(), 1);
}

TEST(PackageSource, SurvivesAnyPrefixAndNonsense) {
  for (std::size_t size = 0; size <= kTwoInputs.size(); ++size) {
    PackageSource::Read(std::string_view(kTwoInputs).substr(0, size));
  }
  const PackageSource source = PackageSource::Read(
      "inputs_info_[99999999999].name = \"a\";\n\"input_handles[-4]: unmatched dtype\n"
      "\"input_handles[0]: unmatched dim value at 4000000000, \"\n\"expected: 1, \"\n"
      "outputs_info_[123456789] x\nassert_size_stride(nobody, {1L}, {1L});\n");
  EXPECT_LE(source.inputs.size(), 1u);
  EXPECT_EQ(source.output_count, 0u);
}

class PackageShapeCheckTest : public ::testing::Test {
 protected:
  std::string Refusal(std::size_t index, std::vector<std::int64_t> shape) {
    const Error error = check_.Check(index, shape);
    return error.ok() ? "" : error.message();
  }

  const PackageSource source_ = PackageSource::Read(kTwoInputs);
  const std::array<std::string, 2> names_ = {"x", "ids"};
  PackageShapeCheck check_{source_, names_};
};

TEST_F(PackageShapeCheckTest, TakesWhatTheModelWasCompiledFor) {
  EXPECT_EQ(Refusal(0, {16, 64}), "");
  EXPECT_EQ(Refusal(1, {16}), "");
}

TEST_F(PackageShapeCheckTest, TakesOneRowAlthoughTheCompilerSpeaksOfTwo) {
  EXPECT_EQ(Refusal(0, {1, 64}), "");
}

TEST_F(PackageShapeCheckTest, RefusesOtherShapes) {
  EXPECT_THAT(Refusal(0, {2, 63}), HasSubstr("input 'x' has shape [2,63]; the model was compiled "
                                             "for 64 in dimension 1"));
  EXPECT_THAT(Refusal(0, {17, 64}), HasSubstr("2 to 16 in dimension 0"));
  EXPECT_THAT(Refusal(0, {2}), HasSubstr("2 dimensions"));
}

TEST_F(PackageShapeCheckTest, RefusesExtentsOfOneSymbolThatDifferWithinACall) {
  EXPECT_EQ(Refusal(0, {4, 64}), "");
  EXPECT_THAT(Refusal(1, {5}), HasSubstr("compiled for 4 in dimension 0, as in another"));
  check_.Reset();
  EXPECT_EQ(Refusal(1, {5}), "");
}

}  // namespace
}  // namespace headrace::backend

#include "engine/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_backend.h"
#include "tensor/bytes_codec.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;
using testing::Fp32Input;
using ::testing::HasSubstr;
using ::testing::StartsWith;

NamedTensor BytesInput(std::string name, Shape shape, const std::vector<std::string>& elements) {
  std::string packed;
  for (const std::string& element : elements) {
    AppendBytesElement(packed, element);
  }
  NamedTensor input{.name = std::move(name), .tensor = {}};
  input.tensor.dtype = DataType::kBytes;
  input.tensor.shape = shape;
  input.tensor.data = Buffer::FromString(std::move(packed));
  return input;
}

// Model 'm': A FP32 [16], B BYTES [-1], at most 8 in a batch. The texts are those of a stock server
// of the same signature.
class ValidateTest : public ::testing::Test {
 protected:
  ValidateTest() {
    signature_.batch_size_max = 8;
    signature_.inputs.push_back({.name = "A", .dtype = DataType::kFp32, .dims = Shape{16}});
    signature_.inputs.push_back({.name = "B", .dtype = DataType::kBytes, .dims = Shape{-1}});
    signature_.outputs.push_back({.name = "Y", .dtype = DataType::kFp32, .dims = Shape{-1}});
    signature_.outputs.push_back({.name = "Z", .dtype = DataType::kFp32, .dims = Shape{-1}});
  }
  ~ValidateTest() override {
    for (const auto& request : requests_) {
      request->Finish(OkStatus());
    }
  }

  InferRequest& Request(std::vector<NamedTensor> inputs, std::vector<std::string> outputs = {}) {
    requests_.push_back(std::make_unique<InferRequest>(
        nullptr, std::make_unique<FakeSink>(std::make_shared<Answer>())));
    requests_.back()->inputs = std::move(inputs);
    requests_.back()->wanted_outputs = std::move(outputs);
    return *requests_.back();
  }
  std::string Failure(std::vector<NamedTensor> inputs, std::vector<std::string> outputs = {}) {
    const Status status =
        ValidateRequest(signature_, "m", Request(std::move(inputs), std::move(outputs)));
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInvalidArgument);
    return status.ok() ? "" : status.message();
  }
  std::uint64_t KeyOf(std::vector<NamedTensor> inputs) {
    InferRequest& request = Request(std::move(inputs));
    EXPECT_TRUE(ValidateRequest(signature_, "m", request).ok());
    return request.shape_key;
  }
  static NamedTensor A(Shape shape = {1, 16}) { return Fp32Input("A", shape); }
  static NamedTensor B() { return BytesInput("B", {1, 2}, {"a", "b"}); }

  ModelSignature signature_;
  std::vector<std::unique_ptr<InferRequest>> requests_;
};

constexpr char kNoId[] = "[request id: <id_unknown>] ";

TEST_F(ValidateTest, SetsSizes_ForAValidRequest) {
  InferRequest& request = Request({BytesInput("B", {2, 1}, {"xy", ""}), A({2, 16})}, {"Y"});
  ASSERT_TRUE(ValidateRequest(signature_, "m", request).ok());
  EXPECT_EQ(request.batch_size, 2);
  EXPECT_EQ(request.byte_size, 2u * 16 * 4 + 4 + 2 + 4);
}

TEST_F(ValidateTest, NamesMissingInputs) {
  EXPECT_EQ(Failure({A()}),
            std::string(kNoId) +
                "expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['A'], but missing "
                "required input(s) ['B']. Please provide all required input(s).");
  EXPECT_THAT(Failure({}), HasSubstr("Got input(s) [], but missing required input(s) ['A','B']."));
  EXPECT_THAT(
      Failure({A(), B(), Fp32Input("C", {1, 1})}),
      HasSubstr("expected 2 inputs but got 3 inputs for model 'm'. Got input(s) ['A','B','C']"));
}

TEST_F(ValidateTest, NamesARange_WhenInputsAreOptional) {
  signature_.inputs[1].optional = true;
  EXPECT_EQ(Failure({A()}), "");
  EXPECT_THAT(
      Failure({}),
      HasSubstr("expected number of inputs between 1 and 2 but got 0 inputs for model 'm'"));
  EXPECT_THAT(Failure({B()}), HasSubstr("missing required input(s) ['A']"));
}

TEST_F(ValidateTest, RefusesUnknownAndRepeatedTensors) {
  EXPECT_EQ(Failure({A(), Fp32Input("C", {1, 1})}), "unexpected inference input 'C' for model 'm'");
  EXPECT_EQ(Failure({A(), A()}), std::string(kNoId) + "input 'A' already exists in request");
  EXPECT_EQ(Failure({A(), B()}, {"Q"}), "unexpected inference output 'Q' for model 'm'");
  EXPECT_EQ(Failure({A(), B()}, {"Y", "Z", "Y"}),
            std::string(kNoId) + "output 'Y' already exists in request");
}

TEST_F(ValidateTest, RefusesAnotherDatatype) {
  NamedTensor wrong = A();
  wrong.tensor.dtype = DataType::kInt32;
  EXPECT_EQ(Failure({wrong, B()}),
            std::string(kNoId) +
                "inference input 'A' data-type is 'INT32', but model 'm' expects 'FP32'");
}

TEST_F(ValidateTest, ChecksTheBatchDimension) {
  EXPECT_EQ(Failure({A({9, 16}), B()}),
            std::string(kNoId) + "inference request batch-size must be <= 8 for 'm'");
  EXPECT_EQ(Failure({A({0, 16}), B()}),
            std::string(kNoId) + "inference request batch-size must be >= 1 for 'm'");
  EXPECT_EQ(Failure({A({2, 16}), B()}),
            std::string(kNoId) + "input 'B' batch size does not match other inputs for 'm'");
  NamedTensor scalar = A();
  scalar.tensor.shape = Shape();
  EXPECT_EQ(
      Failure({scalar, B()}),
      std::string(kNoId) + "input 'A' has no shape but model requires batch dimension for 'm'");
  NamedTensor negative = A();
  negative.tensor.shape = Shape{-1, 16};
  EXPECT_NE(Failure({negative, B()}), "");
}

TEST_F(ValidateTest, ChecksTheShape) {
  EXPECT_THAT(Failure({A({1, 8}), B()}),
              StartsWith(std::string(kNoId) + "unexpected shape for input 'A' for model 'm'. "
                                              "Expected [-1,16], got [1,8]. NOTE: Setting a "
                                              "non-zero max_batch_size"));
  EXPECT_THAT(Failure({A({1, 4, 4}), B()}), HasSubstr("got [1,4,4]"));
  NamedTensor negative = B();
  negative.tensor.shape = Shape{1, -2};
  EXPECT_THAT(Failure({A(), negative}), HasSubstr("Expected [-1,-1], got [1,-2]"));
}

TEST_F(ValidateTest, AcceptsAnEmptyTensor_WhereTheModelAllowsIt) {
  EXPECT_EQ(Failure({A(), BytesInput("B", {1, 0}, {})}), "");
  NamedTensor empty = A();
  empty.tensor.shape = Shape{1, 0};
  EXPECT_THAT(Failure({empty, B()}), HasSubstr("unexpected shape"));
}

TEST_F(ValidateTest, ChecksTheByteSize) {
  NamedTensor shorter = A();
  shorter.tensor.data = Buffer::FromString(std::string(63, '\0'));
  EXPECT_EQ(Failure({shorter, B()}),
            std::string(kNoId) +
                "input byte size mismatch for input 'A' for model 'm'. Expected 64, got 63");
}

TEST_F(ValidateTest, ChecksBytesElements) {
  EXPECT_EQ(Failure({A(), BytesInput("B", {1, 2}, {"a"})}),
            std::string(kNoId) +
                "expected 2 string elements for inference input 'B' for model 'm', got 1");
  EXPECT_THAT(Failure({A(), BytesInput("B", {1, 1}, {"a", "b"})}),
              HasSubstr("unexpected number of string elements"));
}

TEST_F(ValidateTest, PutsTheRequestIdInFront) {
  InferRequest& request = Request({A({1, 8}), B()});
  request.id = "77";
  EXPECT_THAT(ValidateRequest(signature_, "m", request).message(),
              StartsWith("[request id: 77] unexpected shape"));
}

TEST_F(ValidateTest, RefusesOverflow) {
  signature_.batch_size_max = 0;
  signature_.inputs.resize(1);
  signature_.inputs[0].dims = Shape{-1, -1};
  NamedTensor huge = A();
  huge.tensor.shape = Shape{std::int64_t{1} << 62, 4};
  EXPECT_THAT(Failure({huge}), HasSubstr("overflows"));
  // 2^62 elements of 4 bytes: the count fits, the bytes do not; a wrapped product would be 0.
  huge.tensor.shape = Shape{std::int64_t{1} << 61, 2};
  huge.tensor.data = Buffer();
  EXPECT_THAT(Failure({huge}), HasSubstr("overflows"));
}

TEST_F(ValidateTest, NeedsNoBatchDimension_WhenTheModelHasNone) {
  signature_.batch_size_max = 0;
  signature_.inputs.resize(1);
  InferRequest& request = Request({A({16})});
  ASSERT_TRUE(ValidateRequest(signature_, "m", request).ok());
  EXPECT_EQ(request.batch_size, 1);
  EXPECT_THAT(Failure({A({4})}), HasSubstr("Expected [16], got [4]. "));
}

TEST_F(ValidateTest, EqualKeysMeanOneBatch) {
  const std::uint64_t two = KeyOf({A(), B()});
  EXPECT_EQ(two, KeyOf({B(), A()})) << "the order of the inputs does not matter";
  EXPECT_EQ(two, KeyOf({A({2, 16}), BytesInput("B", {2, 2}, {"", "", "", ""})}))
      << "nor does the batch size";
  EXPECT_NE(two, KeyOf({A(), BytesInput("B", {1, 1}, {"a"})}));
  signature_.inputs[1].allow_ragged_batch = true;
  EXPECT_EQ(KeyOf({A(), B()}), KeyOf({A(), BytesInput("B", {1, 1}, {"a"})}));
}

TEST_F(ValidateTest, OptionalInputsSeparateBatches_ByTheirPresence) {
  signature_.inputs[1] = {
      .name = "B", .dtype = DataType::kFp32, .dims = Shape{1}, .optional = true};
  EXPECT_NE(KeyOf({A()}), KeyOf({A(), Fp32Input("B", {1, 1})}));
}

TEST_F(ValidateTest, VariableShapesDoNotTradePlaces) {
  signature_.inputs = {{.name = "A", .dtype = DataType::kFp32, .dims = Shape{-1, -1}},
                       {.name = "B", .dtype = DataType::kFp32, .dims = Shape{-1, -1}}};
  EXPECT_NE(KeyOf({Fp32Input("A", {1, 2, 3}), Fp32Input("B", {1, 3, 2})}),
            KeyOf({Fp32Input("A", {1, 3, 2}), Fp32Input("B", {1, 2, 3})}));
}

TEST_F(ValidateTest, HandlesModelsOfManyInputs) {
  signature_.inputs.clear();
  std::vector<NamedTensor> inputs;
  for (int i = 0; i < 300; ++i) {
    signature_.inputs.push_back(
        {.name = std::to_string(i), .dtype = DataType::kFp32, .dims = Shape{1}});
    inputs.push_back(Fp32Input(std::to_string(i), {1, 1}));
  }
  EXPECT_EQ(Failure(inputs), "");
  inputs.back().name = "0";
  EXPECT_THAT(Failure(inputs), HasSubstr("input '0' already exists"));
}

}  // namespace
}  // namespace headrace::engine

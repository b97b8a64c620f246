#include "protocol/generate_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "protocol/v2_test_support.h"

namespace headrace::protocol {
namespace {

using ::testing::HasSubstr;

class GenerateJsonTest : public ::testing::Test, public CodecFixture {
 protected:
  Result<V2InferRequest> Read(std::string_view json, std::vector<GenerateInput> inputs) {
    const Buffer body = Place(json);
    JsonCursor cursor;
    return ParseGenerateRequest(body.view(), inputs, limits, cursor, pool);
  }
  std::string Message(std::string_view json, std::vector<GenerateInput> inputs) {
    return std::string(Read(json, std::move(inputs)).status().message());
  }

  static GenerateInput Input(std::string_view name, DataType dtype, Shape dims) {
    return {.name = name, .dtype = dtype, .dims = dims};
  }
};

TEST_F(GenerateJsonTest, MembersThatAreInputs_BecomeTensors_OthersParameters) {
  const auto request = Read(
      R"({"text":"hi","n":[1,2,3],"temperature":0.5,"id":"7","parameters":{"stream":true,"n2":4}})",
      {Input("text", DataType::kBytes, {-1, 1}), Input("n", DataType::kInt32, {-1, -1}),
       Input("n2", DataType::kUint8, {1})});
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->id, "7");
  ASSERT_EQ(request->inputs.size(), 3u);
  EXPECT_EQ(request->inputs[0].tensor.shape, (Shape{1, 1}));
  EXPECT_EQ(request->inputs[0].tensor.data.view(), std::string("\2\0\0\0hi", 6));
  EXPECT_EQ(request->inputs[1].tensor.shape, (Shape{1, 3}));
  EXPECT_EQ(request->inputs[2].tensor.data.view(), "\x04");
  ASSERT_EQ(request->parameters.size(), 2u);
  EXPECT_EQ(std::get<double>(request->parameters[0].value), 0.5);
  EXPECT_TRUE(std::get<bool>(request->parameters[1].value));
}

TEST_F(GenerateJsonTest, Shapes_FixedDimensionsFirst_ThenTheInnermostOpenOne) {
  const auto shape = [this](std::string_view data, Shape dims) {
    const auto request =
        Read(fmt::format(R"({{"x":{}}})", data), {Input("x", DataType::kFp32, dims)});
    return request.ok() ? request->inputs[0].tensor.shape.ToString()
                        : std::string(request.status().message());
  };
  EXPECT_EQ(shape("[1,2,3,4]", {-1, 2, -1}), "[1,2,2]");
  EXPECT_EQ(shape("[1,2,3,4]", {-1, 2}), "[2,2]");
  EXPECT_EQ(shape("5", {1}), "[1]");
  EXPECT_EQ(shape("[]", {-1}), "[0]");
  EXPECT_THAT(shape("[1,2,3]", {-1, 2}),
              HasSubstr("The schema can not convert input 'x' to tensor with proper shape"));
  EXPECT_THAT(shape("[1,2,3]", {2}), HasSubstr("The schema can not convert"));
}

TEST_F(GenerateJsonTest, BadMembers_AreNamed) {
  const GenerateInput x = Input("x", DataType::kInt8, {-1});
  EXPECT_THAT(Message(R"({"x":[1,300]})", {x}), HasSubstr("'x': element 1 is out of range"));
  EXPECT_THAT(Message(R"({"x":"a"})", {x}), HasSubstr("Unable to parse 'x'"));
  EXPECT_THAT(Message(R"({"x":[[1]]})", {x}), HasSubstr("Unable to parse 'x'"));
  EXPECT_THAT(Message(R"({"x":{"y":1}})", {x}), HasSubstr("Unable to parse 'x'"));
  EXPECT_THAT(Message(R"({"p":[1]})", {x}), HasSubstr("parameters.p"));
  EXPECT_THAT(Message(R"({"triton_x":1})", {x}), HasSubstr("reserved"));
  EXPECT_THAT(Message(R"({"id":5})", {x}), HasSubstr("id"));
  EXPECT_THAT(Message(R"([1])", {x}), HasSubstr("failed to parse"));
  EXPECT_THAT(Message(R"({"x":1)", {x}), HasSubstr("failed to parse"));
  EXPECT_THAT(Message(R"({"h":1})", {Input("h", DataType::kFp16, {-1})}),
              HasSubstr("receiving FP16 data via JSON is not supported"));
}

TEST_F(GenerateJsonTest, Response_IsFlat) {
  Tensor text;
  text.dtype = DataType::kBytes;
  text.shape = Shape{1, 1};
  text.data = Buffer::CopyOf(std::string_view("\2\0\0\0ok", 6));
  Tensor numbers;
  numbers.dtype = DataType::kUint8;
  numbers.shape = Shape{3};
  numbers.data = Buffer::CopyOf("\1\2\3");
  const std::vector<Parameter> parameters = {{"last", true}};
  V2InferResponse response;
  response.model_name = "m";
  response.id = "7";
  response.parameters = &parameters;
  response.outputs = {{.name = "text", .tensor = &text}, {.name = "n", .tensor = &numbers}};
  EXPECT_EQ(
      *EncodeGenerateResponse(response),
      R"({"id":"7","model_name":"m","model_version":"1","last":true,"text":"ok","n":[1,2,3]})");
}

}  // namespace
}  // namespace headrace::protocol

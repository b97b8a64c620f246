#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "protocol/v2_json.h"
#include "protocol/v2_test_support.h"

namespace headrace::protocol {
namespace {

using ::testing::HasSubstr;

template <typename T>
Tensor TensorOf(DataType dtype, Shape shape, std::initializer_list<T> values) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.data =
      Buffer::CopyOf({reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)});
  return tensor;
}

Tensor BytesTensor(Shape shape, std::string_view bytes) {
  Tensor tensor;
  tensor.dtype = DataType::kBytes;
  tensor.shape = shape;
  tensor.data = Buffer::CopyOf(bytes);
  return tensor;
}

// The `data` of one output, or the failure's message.
std::string DataOf(const Tensor& tensor) {
  V2InferResponse response;
  response.model_name = "m";
  response.outputs.push_back({"y", &tensor, false});
  const auto encoded = EncodeInferResponse(response);
  if (!encoded.ok()) {
    return encoded.status().message();
  }
  const std::string_view json = encoded->body[0].view();
  const std::size_t data = json.find("\"data\":") + 7;
  return std::string(json.substr(data, json.size() - data - 3));
}

TEST(EncodeInferResponseTest, WritesMembers_InTheContractsOrder) {
  const Tensor tensor = TensorOf<std::int32_t>(DataType::kInt32, {1, 2}, {1, -2});
  const std::vector<Parameter> parameters = {
      {"s", std::string("x")}, {"i", std::int64_t{3}}, {"b", true}, {"d", 0.5}};
  V2InferResponse response;
  response.model_name = "m\"";
  response.model_version = 12;
  response.id = "7";
  response.parameters = &parameters;
  response.outputs.push_back({"y", &tensor, false});
  const auto encoded = EncodeInferResponse(response);
  ASSERT_TRUE(encoded.ok());
  ASSERT_EQ(encoded->body.size(), 1u);
  EXPECT_EQ(encoded->json_byte_size, std::nullopt);
  EXPECT_EQ(
      encoded->body[0].view(),
      R"({"id":"7","model_name":"m\"","model_version":"12","parameters":{"s":"x","i":3,"b":true,"d":0.5},)"
      R"("outputs":[{"name":"y","datatype":"INT32","shape":[1,2],"data":[1,-2]}]})");
}

TEST(EncodeInferResponseTest, PassesBinaryOutputs_WithoutCopying) {
  Tensor first = TensorOf<std::uint8_t>(DataType::kUint8, {4}, {'a', 'b', 'c', 'd'});
  first.more_fragments.push_back(Buffer());
  const Tensor second = TensorOf<std::uint8_t>(DataType::kUint8, {1}, {9});
  Tensor third = BytesTensor({1}, "\x03");
  third.more_fragments.push_back(Buffer::CopyOf(std::string_view("\0\0\0xyz", 6)));
  V2InferResponse response;
  response.model_name = "m";
  response.outputs = {{"a", &first, true}, {"b", &second, false}, {"c", &third, true}};
  const auto encoded = EncodeInferResponse(response);
  ASSERT_TRUE(encoded.ok());
  ASSERT_EQ(encoded->body.size(), 4u);
  EXPECT_EQ(encoded->json_byte_size, encoded->body[0].size());
  EXPECT_EQ(encoded->body[0].view(),
            R"({"model_name":"m","model_version":"1","outputs":[)"
            R"({"name":"a","datatype":"UINT8","shape":[4],"parameters":{"binary_data_size":4}},)"
            R"({"name":"b","datatype":"UINT8","shape":[1],"data":[9]},)"
            R"({"name":"c","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":7}}]})");
  EXPECT_EQ(encoded->body[1].data(), first.data.data());
  EXPECT_EQ(encoded->body[2].view(), "\x03");
  EXPECT_EQ(encoded->body[3].data(), third.more_fragments[0].data());
}

TEST(EncodeInferResponseTest, WritesEachType) {
  EXPECT_EQ(DataOf(TensorOf<std::uint8_t>(DataType::kBool, {3}, {0, 1, 2})), "[false,true,true]");
  EXPECT_EQ(DataOf(TensorOf<std::int8_t>(DataType::kInt8, {2}, {-128, 127})), "[-128,127]");
  EXPECT_EQ(DataOf(TensorOf<std::uint8_t>(DataType::kUint8, {1}, {255})), "[255]");
  EXPECT_EQ(DataOf(TensorOf<std::int16_t>(DataType::kInt16, {1}, {-32768})), "[-32768]");
  EXPECT_EQ(DataOf(TensorOf<std::uint16_t>(DataType::kUint16, {1}, {65535})), "[65535]");
  EXPECT_EQ(DataOf(TensorOf<std::uint32_t>(DataType::kUint32, {1}, {UINT32_MAX})), "[4294967295]");
  EXPECT_EQ(DataOf(TensorOf<std::uint64_t>(DataType::kUint64, {1}, {UINT64_MAX})),
            "[18446744073709551615]");
  EXPECT_EQ(DataOf(TensorOf<std::int64_t>(DataType::kInt64, {1}, {INT64_MIN})),
            "[-9223372036854775808]");
  EXPECT_EQ(DataOf(TensorOf<float>(DataType::kFp32, {3}, {0.1f, 1.f, -2.5e-10f})),
            "[0.1,1.0,-2.5e-10]");
  EXPECT_EQ(DataOf(TensorOf<double>(DataType::kFp64, {2}, {0.1, 1e22})), "[0.1,1e+22]");
  EXPECT_EQ(DataOf(BytesTensor({2}, std::string_view("\x02\0\0\0a\"\0\0\0\0", 10))),
            R"(["a\"",""])");
  EXPECT_EQ(DataOf(TensorOf<float>(DataType::kFp32, {0}, {})), "[]");
}

TEST(EncodeInferResponseTest, RefusesNumbers_ThatJsonLacks) {
  EXPECT_EQ(DataOf(TensorOf<float>(DataType::kFp32, {2}, {0.f, NAN})),
            "output 'y': element 1 is not finite and has no JSON form; ask for binary data");
  EXPECT_THAT(DataOf(TensorOf<double>(DataType::kFp64, {1}, {-INFINITY})),
              HasSubstr("element 0 is not finite"));
}

TEST(EncodeInferResponseTest, RefusesHalfPrecision_AsJson) {
  EXPECT_EQ(DataOf(TensorOf<std::uint16_t>(DataType::kFp16, {1}, {0})),
            "sending FP16 data via JSON is not supported. Please use the binary data format for "
            "output y");
  EXPECT_THAT(DataOf(TensorOf<std::uint16_t>(DataType::kBf16, {1}, {0})),
              HasSubstr("sending BF16 data via JSON"));
}

TEST(EncodeInferResponseTest, SaysWhatIsWrong_WithABackendsTensor) {
  for (const Tensor& tensor :
       {TensorOf<float>(DataType::kFp32, {3}, {1, 2}), TensorOf<float>(DataType::kFp32, {-1}, {1}),
        BytesTensor({1}, "abc"), BytesTensor({1}, std::string_view("\x09\0\0\0a", 5)),
        BytesTensor({1}, std::string_view("\0\0\0\0a", 5)),
        TensorOf<float>(DataType::kInvalid, {1}, {1})}) {
    V2InferResponse response;
    response.outputs.push_back({"y", &tensor, false});
    EXPECT_EQ(EncodeInferResponse(response).status().code(), StatusCode::kInternal);
  }
}

TEST(EncodeInferResponseTest, ReadsBackEqual_ThroughTheRequestParser) {
  CodecFixture codec;
  std::vector<float> values;
  for (int i = 0; i < 5000; ++i) {
    values.push_back(std::ldexp(static_cast<float>(i * 7919 % 10007), i % 60 - 30));
  }
  Tensor tensor;
  tensor.dtype = DataType::kFp32;
  tensor.shape = Shape{5000};
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()),
                               values.size() * sizeof(float));
  tensor.data = Buffer::CopyOf(bytes.substr(0, 4002));  // a fragment that ends inside an element
  tensor.more_fragments.push_back(Buffer::CopyOf(bytes.substr(4002)));
  EXPECT_EQ(codec.Data<float>("FP32", "[5000]", DataOf(tensor)), values);
}

class RawRequestTest : public ::testing::Test, public CodecFixture {
 protected:
  Result<V2InferRequest> Raw(std::string_view body, DataType dtype, std::vector<std::int64_t> dims,
                             bool batched) {
    return ParseRawInferRequest(Place(body), V2RawInput{"x", dtype, dims, batched}, "m", limits,
                                pool);
  }
};

TEST_F(RawRequestTest, DeducesTheVariableDimension) {
  const auto request = Raw("123456789abc", DataType::kInt16, {3, -1}, true);
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->inputs[0].name, "x");
  EXPECT_EQ(request->inputs[0].tensor.shape, (Shape{1, 3, 2}));
  EXPECT_EQ(request->inputs[0].tensor.data.view(), "123456789abc");
  EXPECT_TRUE(request->binary_output_default);
  EXPECT_EQ(Raw("", DataType::kInt8, {-1}, false)->inputs[0].tensor.shape, (Shape{0}));
}

TEST_F(RawRequestTest, PutsTheLength_InFrontOfBytes) {
  const auto request = Raw("hello", DataType::kBytes, {1}, false);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->inputs[0].tensor.data.view(), std::string_view("\x05\0\0\0hello", 9));
  EXPECT_EQ(Raw("", DataType::kBytes, {-1}, true)->inputs[0].tensor.shape, (Shape{1, 1}));
}

TEST_F(RawRequestTest, RefusesSizes_ThatDoNotFit) {
  EXPECT_FALSE(Raw("123", DataType::kInt16, {-1}, false).ok());
  EXPECT_FALSE(Raw("1234", DataType::kInt16, {3}, false).ok());
  EXPECT_FALSE(Raw("1234", DataType::kInt16, {3, -1}, false).ok());
  EXPECT_FALSE(Raw("1234", DataType::kInt16, {0, -1}, false).ok());
  EXPECT_FALSE(Raw("1234", DataType::kBytes, {2}, false).ok());
  EXPECT_FALSE(Raw("1234", DataType::kInvalid, {-1}, false).ok());
  EXPECT_FALSE(Raw("1234", DataType::kInt8, {INT64_MAX, 2, -1}, false).ok());
  EXPECT_THAT(Raw("1234", DataType::kInt8, {-1, -1}, false).status().message(),
              HasSubstr("more than one variable dimension"));
  limits.json_byte_size_max = 3;
  EXPECT_EQ(Raw("1234", DataType::kInt8, {-1}, false).status().code(),
            StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace headrace::protocol

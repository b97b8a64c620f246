#include "plugin/packed_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "tensor/bytes_codec.h"
#include "tensor/heap_buffer.h"

namespace headrace::plugin {
namespace {

using ::testing::SizeIs;

NamedTensor Output(std::string name, DataType dtype, Shape shape, std::string bytes) {
  NamedTensor output{.name = std::move(name), .tensor = {}};
  output.tensor.dtype = dtype;
  output.tensor.shape = shape;
  output.tensor.data = Buffer::FromString(std::move(bytes));
  return output;
}

engine::InferResponse Sample() {
  std::string strings;
  AppendBytesElement(strings, "a");
  AppendBytesElement(strings, "");
  engine::InferResponse response;
  response.outputs.push_back(Output("numbers", DataType::kInt16, {2, 2}, "12345678"));
  response.outputs[0].tensor.data = Buffer::CopyOf("123");
  response.outputs[0].tensor.more_fragments = {Buffer(), Buffer::CopyOf("45678")};
  response.outputs.push_back(Output("strings", DataType::kBytes, {2}, strings));
  response.outputs.push_back(Output("none", DataType::kFp32, {0, 4}, ""));
  response.outputs.push_back(Output("scalar", DataType::kBool, {}, "\x01"));
  response.parameters = {
      {"text", std::string("t")}, {"int", std::int64_t{-5}}, {"yes", true}, {"real", 0.5}};
  return response;
}

Buffer Pack(const engine::InferResponse& response) {
  const ResponsePacker packer(response);
  MutableBuffer bytes = NewHeapBuffer(packer.byte_size()).value();
  packer.WriteTo(bytes.data());
  return std::move(bytes).Freeze();
}

Buffer Aligned(std::string_view bytes) {
  MutableBuffer copy = NewHeapBuffer(bytes.size()).value();
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(copy.data()));
  return std::move(copy).Freeze(bytes.size());
}

TEST(PackedResponseTest, WhatIsPackedComesBack_InSlices) {
  const Buffer packed = Pack(Sample());
  const auto response = UnpackResponse(packed);
  ASSERT_TRUE(response.ok()) << response.status().message();
  ASSERT_THAT(response->outputs, SizeIs(4));
  const engine::InferResponse sample = Sample();
  for (std::size_t i = 0; i < 4; ++i) {
    const NamedTensor& output = response->outputs[i];
    EXPECT_EQ(output.name, sample.outputs[i].name);
    EXPECT_EQ(output.tensor.dtype, sample.outputs[i].tensor.dtype);
    EXPECT_EQ(output.tensor.shape, sample.outputs[i].tensor.shape);
    EXPECT_EQ(output.tensor.fragment_count(), 1u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(output.tensor.data.data()) % 64, 0u);
  }
  EXPECT_EQ(response->outputs[0].tensor.data.view(), "12345678");
  EXPECT_EQ(response->outputs[1].tensor.data.view(), sample.outputs[1].tensor.data.view());
  EXPECT_EQ(response->outputs[3].tensor.data.view(), "\x01");
  ASSERT_THAT(response->parameters, SizeIs(4));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(response->parameters[i].name, sample.parameters[i].name);
    EXPECT_EQ(response->parameters[i].value, sample.parameters[i].value);
  }
}

TEST(PackedResponseTest, AResponseOfNothing_ComesBack) {
  const auto response = UnpackResponse(Pack({}));
  ASSERT_TRUE(response.ok());
  EXPECT_THAT(response->outputs, SizeIs(0));
}

TEST(PackedResponseTest, WhatIsCutShortOrTooLong_IsRefused) {
  const Buffer packed = Pack(Sample());
  for (std::size_t byte_size = 0; byte_size < packed.size(); ++byte_size) {
    EXPECT_FALSE(UnpackResponse(Aligned(packed.view().substr(0, byte_size))).ok()) << byte_size;
  }
  EXPECT_FALSE(UnpackResponse(Aligned(std::string(packed.view()) + '\0')).ok());
}

TEST(PackedResponseTest, ChangedBytes_AreRefusedOrStayWithinTheBlock) {
  const std::string good(Pack(Sample()).view());
  std::size_t refused = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(value);
      const Buffer packed = Aligned(bytes);
      const auto response = UnpackResponse(packed);
      refused += response.ok() ? 0 : 1;
      for (std::size_t k = 0; response.ok() && k < response->outputs.size(); ++k) {
        const Buffer& data = response->outputs[k].tensor.data;
        EXPECT_GE(data.data(), packed.data());
        EXPECT_LE(data.data() + data.size(), packed.data() + packed.size());
      }
    }
  }
  EXPECT_GT(refused, 500u);
}

}  // namespace
}  // namespace headrace::plugin

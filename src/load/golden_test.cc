#include "load/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "load/data_set.h"
#include "load/golden_record.h"
#include "protocol/proto_writer.h"
#include "tensor/bytes_codec.h"

namespace headrace::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

template <typename T>
std::string Packed(std::initializer_list<T> values) {
  std::string out;
  for (const T value : values) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return out;
}

TensorContent Tensor(std::string name, DataType data_type, std::vector<std::int64_t> shape,
                     std::string bytes) {
  return {std::move(name), data_type, std::move(shape),
          std::make_shared<const std::string>(std::move(bytes))};
}

GoldenOutputs Golden(TensorContent output) {
  GoldenOutputs golden;
  golden.outputs.push_back(std::move(output));
  return golden;
}

Mismatch CompareFloats(std::initializer_list<float> actual, std::initializer_list<float> expected) {
  const auto size = static_cast<std::int64_t>(expected.size());
  return CompareOutputs(Golden(Tensor("O", DataType::kFp32, {size}, Packed(expected))),
                        {Tensor("O", DataType::kFp32, {1, size}, Packed(actual))});
}

TEST(GoldenTest, NumbersAreComparedWithinTolerances) {
  EXPECT_EQ(CompareFloats({1.00001F, -100.0009F}, {1, -100}), std::nullopt);
  EXPECT_THAT(CompareFloats({1, 2.5F}, {1, 2}),
              Optional(HasSubstr("output 'O'[1]: 2.5, expected 2")));
  EXPECT_EQ(CompareFloats({NAN, INFINITY}, {NAN, INFINITY}), std::nullopt);
  EXPECT_NE(CompareFloats({NAN}, {1}), std::nullopt);
  EXPECT_NE(CompareFloats({1}, {NAN}), std::nullopt);
  EXPECT_NE(CompareFloats({INFINITY}, {1e38F}), std::nullopt);
  EXPECT_NE(CompareFloats({-INFINITY}, {INFINITY}), std::nullopt);
}

TEST(GoldenTest, WhatIsNotTheSameTensorIsNamed) {
  const GoldenOutputs golden = Golden(Tensor("O", DataType::kInt32, {2}, Packed<int>({1, 2})));
  EXPECT_THAT(CompareOutputs(golden, {}), Optional(HasSubstr("output 'O' is missing")));
  EXPECT_THAT(CompareOutputs(golden, {Tensor("O", DataType::kUint32, {2}, Packed<int>({1, 2}))}),
              Optional(HasSubstr("is UINT32, expected INT32")));
  EXPECT_THAT(CompareOutputs(golden, {Tensor("O", DataType::kInt32, {2, 1}, Packed<int>({1, 2}))}),
              Optional(HasSubstr("has the shape [2,1], expected [2]")));
  EXPECT_THAT(CompareOutputs(golden, {Tensor("O", DataType::kInt32, {2}, Packed<int>({1, 3}))}),
              Optional(HasSubstr("[1]: 3, expected 2")));
  EXPECT_EQ(CompareOutputs(golden, {Tensor("X", DataType::kBool, {1}, "x"),
                                    Tensor("O", DataType::kInt32, {1, 2}, Packed<int>({1, 2}))}),
            std::nullopt);
  GoldenOutputs tolerant = golden;
  tolerant.absolute_tolerance = 1;
  EXPECT_EQ(CompareOutputs(tolerant, {Tensor("O", DataType::kInt32, {2}, Packed<int>({1, 3}))}),
            std::nullopt);
}

TEST(GoldenTest, StringsAreComparedExactly) {
  std::string expected, actual;
  AppendBytesElement(expected, "ab");
  AppendBytesElement(actual, "ac");
  const GoldenOutputs golden = Golden(Tensor("O", DataType::kBytes, {1}, expected));
  EXPECT_EQ(CompareOutputs(golden, {Tensor("O", DataType::kBytes, {1}, expected)}), std::nullopt);
  EXPECT_THAT(CompareOutputs(golden, {Tensor("O", DataType::kBytes, {1}, actual)}),
              Optional(HasSubstr("'ac', expected 'ab'")));
}

TEST(GoldenTest, Http_ReadsJsonAndBinaryOutputs) {
  const std::string json =
      R"({"model_name":"m","outputs":[{"name":"A","datatype":"FP32","shape":[2],"data":[1,2.5]},)"
      R"({"name":"B","datatype":"INT8","shape":[3],"parameters":{"binary_data_size":3}},)"
      R"({"name":"S","datatype":"FP32","shape":[9],"parameters":{"shared_memory_region":"x"}}]})";
  const auto outputs = ReadHttpAnswer(json + "abc", json.size());
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  ASSERT_EQ(outputs->size(), 2u);
  EXPECT_EQ(*(*outputs)[0].bytes, Packed<float>({1, 2.5F}));
  EXPECT_EQ(*(*outputs)[1].bytes, "abc");
  EXPECT_THAT((*outputs)[1].shape, ElementsAre(3));
  EXPECT_FALSE(ReadHttpAnswer(json + "abcd", json.size()).ok());
  EXPECT_FALSE(ReadHttpAnswer(json + "ab", json.size()).ok());
  EXPECT_FALSE(ReadHttpAnswer(json, json.size() + 1).ok());
  const GoldenOutputs golden = Golden(Tensor("A", DataType::kFp32, {2}, Packed<float>({1, 2.5F})));
  EXPECT_EQ(CompareHttpAnswer(golden, json + "abc", json.size()), std::nullopt);
  EXPECT_THAT(CompareHttpAnswer(golden, "<html>", std::nullopt), Optional(HasSubstr("not JSON")));
}

std::string GrpcAnswer(const std::string& bytes, bool packed) {
  std::string tensor, shape, message;
  protocol::ProtoWriter writer(tensor);
  writer.Bytes(1, "A");
  writer.Bytes(2, "FP32");
  if (packed) {
    protocol::ProtoWriter(shape).BareVarint(1);
    protocol::ProtoWriter(shape).BareVarint(2);
    writer.Bytes(3, shape);
  } else {
    writer.Varint(3, 1);
    writer.Varint(3, 2);
  }
  protocol::ProtoWriter answer(message);
  answer.Bytes(1, "m");
  answer.Bytes(5, tensor);
  answer.Bytes(6, bytes);
  return message;
}

TEST(GoldenTest, Grpc_ReadsRawOutputs) {
  for (const bool packed : {false, true}) {
    const auto outputs = ReadGrpcAnswer(GrpcAnswer(Packed<float>({1, 2}), packed));
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ASSERT_EQ(outputs->size(), 1u);
    EXPECT_THAT((*outputs)[0].shape, ElementsAre(1, 2));
    EXPECT_EQ(*(*outputs)[0].bytes, Packed<float>({1, 2}));
  }
  EXPECT_FALSE(ReadGrpcAnswer(GrpcAnswer("abc", true)).ok());
  EXPECT_TRUE(ReadGrpcAnswer(GrpcAnswer("", true))->empty());  // in shared memory
}

TEST(GoldenTest, Bodies_AreEqualOrEqualAsJson) {
  GoldenOutputs golden;
  golden.body = std::make_shared<const std::string>(R"({"cat":0.5,"n":[1,2],"s":"x"})");
  EXPECT_EQ(CompareBody(golden, R"({ "n":[1,2.0000001], "cat":0.50000001,"s":"x" })"),
            std::nullopt);
  EXPECT_THAT(CompareBody(golden, R"({"cat":0.6,"n":[1,2],"s":"x"})"),
              Optional(HasSubstr("$.cat: 0.6, expected 0.5")));
  EXPECT_THAT(CompareBody(golden, R"({"cat":0.5,"n":[1],"s":"x"})"), Optional(HasSubstr("$.n")));
  EXPECT_THAT(CompareBody(golden, R"({"cat":0.5,"n":[1,2,3],"s":"x"})"),
              Optional(HasSubstr("$.n")));
  EXPECT_THAT(CompareBody(golden, R"({"cat":0.5,"n":[1,2]})"),
              Optional(HasSubstr("$.s is missing")));
  EXPECT_THAT(CompareBody(golden, R"({"cat":0.5,"n":[1,2],"s":"y"})"),
              Optional(HasSubstr("\"y\", expected \"x\"")));
  EXPECT_NE(CompareBody(golden, R"({"cat":0.5,"n":[1,2],"s":"x","t":1})"), std::nullopt);
  EXPECT_NE(CompareBody(golden, "nothing"), std::nullopt);
  golden.body = std::make_shared<const std::string>("plain");
  EXPECT_EQ(CompareBody(golden, "plain"), std::nullopt);
  EXPECT_THAT(CompareBody(golden, "plaster"), Optional(HasSubstr("at byte 3")));
}

TEST(GoldenTest, Recorded_ReadsBackAsWhatIsCompared) {
  Workload workload;
  Item& item = workload.items.emplace_back();
  item.name = "m";
  item.contents.resize(2);
  ASSERT_TRUE(RecordAnswers(workload, true).ok());
  EXPECT_FALSE(GoldenFileText(workload, true, true).ok());
  std::string strings;
  AppendBytesElement(strings, "a\n");
  const std::vector<std::vector<TensorContent>> answers = {
      {Tensor("O", DataType::kFp32, {1, 2}, Packed<float>({NAN, 0.1F})),
       Tensor("S", DataType::kBytes, {1, 1}, strings)},
      {Tensor("O", DataType::kFp32, {1, 3}, Packed<float>({1, 2, 3})),
       Tensor("S", DataType::kBytes, {1, 1}, strings)}};
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(CompareOutputs(*item.contents[i].golden, answers[i]), std::nullopt);
    // The first one stays.
    EXPECT_EQ(CompareOutputs(*item.contents[i].golden, {}), std::nullopt);
  }
  const auto text = GoldenFileText(workload, true, true);
  ASSERT_TRUE(text.ok()) << text.status().ToString();
  const std::string path = testing::TempDir() + "recorded.json";
  std::ofstream(path) << *text;
  Signature signature;
  signature.batched = true;
  signature.outputs = {{"O", DataType::kFp32, {-1}}, {"S", DataType::kBytes, {1}}};
  const auto set = ReadGoldenFile(path, signature);
  std::filesystem::remove(path);
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  ASSERT_EQ(set->steps.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    for (const TensorContent& output : answers[i]) {
      const Row& row = set->steps[i].outputs.at(output.name);
      EXPECT_EQ(*row.bytes, *output.bytes);
      EXPECT_EQ(row.dims, std::vector(output.shape.begin() + 1, output.shape.end()));
    }
  }
}

TEST(GoldenTest, RecordedBodies_MustBeOne) {
  Workload workload;
  workload.items.emplace_back().contents.resize(2);
  ASSERT_TRUE(RecordAnswers(workload, false).ok());
  std::vector<Content>& contents = workload.items[0].contents;
  CompareBody(*contents[0].golden, "a");
  EXPECT_FALSE(GoldenFileText(workload, false, false).ok());
  CompareBody(*contents[1].golden, "a");
  EXPECT_EQ(*GoldenFileText(workload, false, false), "a");
  ASSERT_TRUE(RecordAnswers(workload, false).ok());
  CompareBody(*contents[0].golden, "a");
  CompareBody(*contents[1].golden, "b");
  EXPECT_THAT(GoldenFileText(workload, false, false).status().message(), HasSubstr("body 1"));
}

TEST(GoldenTest, WhatCannotBeRecordedIsNamed) {
  Workload workload;
  workload.items.resize(1);
  workload.items[0].batch_size = 2;
  EXPECT_THAT(RecordAnswers(workload, true).message(), HasSubstr("-b 2"));
  workload.items[0].sequences.concurrent = 1;
  EXPECT_THAT(RecordAnswers(workload, true).message(), HasSubstr("sequences"));
  workload.items.resize(2);
  EXPECT_THAT(RecordAnswers(workload, true).message(), HasSubstr("--mix"));
}

// Damaged answers are wrong or right, and never anything worse.
TEST(GoldenTest, DamagedAnswersAreSurvived) {
  const std::string json =
      R"({"outputs":[{"name":"A","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},)"
      R"({"name":"B","datatype":"BYTES","shape":[2],"data":["x","y"]}]})";
  const std::string http = json + Packed<float>({1, 2});
  const std::string grpc = GrpcAnswer(Packed<float>({1, 2}), true);
  const GoldenOutputs golden = Golden(Tensor("A", DataType::kFp32, {1, 2}, Packed<float>({1, 2})));
  std::mt19937 random(3);
  int right = 0, wrong = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = i % 2 == 0 ? http : grpc;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        default:
          text.insert(at, 1, static_cast<char>(random()));
      }
      if (text.empty()) {
        text = "x";
      }
    }
    const Mismatch mismatch =
        i % 2 == 0
            ? CompareHttpAnswer(golden, text, random() % 4 == 0 ? random() % 200 : json.size())
            : CompareGrpcAnswer(golden, text);
    ++(mismatch ? wrong : right);
  }
  EXPECT_GT(wrong, 10'000);
  EXPECT_GT(right, 0);  // what was damaged was not looked at
}

}  // namespace
}  // namespace headrace::load

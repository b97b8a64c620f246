#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "engine/testing/fake_backend.h"
#include "handler/float_list.h"
#include "handler/image_classifier.h"
#include "handler/image_segmenter.h"
#include "handler/label_map.h"
#include "handler/object_detector.h"
#include "handler/python_json.h"
#include "handler/request_content.h"

namespace headrace::handler {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Float(double value) {
  std::string text;
  AppendPythonFloat(value, text);
  return text;
}

TEST(PythonJsonTest, Floats_AreWrittenAsPythonWritesThem) {
  EXPECT_EQ(Float(0), "0.0");
  EXPECT_EQ(Float(-0.0), "-0.0");
  EXPECT_EQ(Float(1), "1.0");
  EXPECT_EQ(Float(0.1F), "0.10000000149011612");
  EXPECT_EQ(Float(0.0001), "0.0001");
  EXPECT_EQ(Float(0.00001), "1e-05");
  EXPECT_EQ(Float(1.5e-300), "1.5e-300");
  EXPECT_EQ(Float(123456789012345680.0), "1.2345678901234568e+17");
  EXPECT_EQ(Float(1e16), "1e+16");
  EXPECT_EQ(Float(1234567890123456.0), "1234567890123456.0");
  EXPECT_EQ(Float(std::nan("")), "NaN");
  EXPECT_EQ(Float(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(PythonJsonTest, Strings_AreAsciiOnly) {
  std::string text;
  AppendPythonString("a\"\\\n\x01\x7f\xc3\xa4\xf0\x9f\x90\x8c", text);
  EXPECT_EQ(text, "\"a\\\"\\\\\\n\\u0001\x7f\\u00e4\\ud83d\\udc0c\"");
}

TEST(PythonJsonTest, Writer_IndentsByTwo) {
  std::string text;
  PythonJsonWriter json(text);
  json.BeginArray();
  json.BeginObject();
  json.Key("a");
  json.Float(1);
  json.Key("b");
  json.BeginArray();
  json.EndArray();
  json.EndObject();
  json.Float(2);
  json.EndArray();
  EXPECT_EQ(text, "[\n  {\n    \"a\": 1.0,\n    \"b\": []\n  },\n  2.0\n]");
}

TEST(LabelMapTest, Parse_TakesAllForms) {
  EXPECT_EQ(LabelMap().Name(3), "3");
  const auto plain = LabelMap::Parse(R"({"0": "cat", "7": ["n01", "tench"]})");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->Name(0), "cat");
  EXPECT_EQ(plain->Name(7), "tench");
  EXPECT_EQ(plain->Name(1), "1");
  const auto listed = LabelMap::Parse(R"({"object_type_names": ["a", "b"]})");
  ASSERT_TRUE(listed.ok());
  EXPECT_EQ(listed->Name(1), "b");
}

TEST(LabelMapTest, Parse_NamesWhatIsWrong) {
  EXPECT_THAT(LabelMap::Parse("[]").status().message(), HasSubstr("one JSON object"));
  EXPECT_THAT(LabelMap::Parse(R"({"4": 5})").status().message(), HasSubstr("class '4'"));
  EXPECT_THAT(LabelMap::Parse(R"({"4": []})").status().message(), HasSubstr("class '4'"));
  EXPECT_FALSE(LabelMap::Parse(R"({"object_type_names": [1]})").ok());
}

TEST(FloatListTest, Parse_FindsTheShape) {
  const auto list = ParseFloatList("[[1, 2.5, 3], [4, 5, 6]]");
  ASSERT_TRUE(list.ok());
  EXPECT_THAT(list->values, ElementsAre(1, 2.5, 3, 4, 5, 6));
  EXPECT_EQ(list->shape, Shape({2, 3}));
  for (const char* bad : {"[[1], [2, 3]]", "[1, [2]]", "[[1], 2]", "{}", "3", "[\"a\"]", "[",
                          "[[[[[[[[[1]]]]]]]]]"}) {
    EXPECT_FALSE(ParseFloatList(bad).ok()) << bad;
  }
}

// "kind text" of what is found, or the message.
std::string Content(const std::string& data, const std::string& parts, bool decode = true) {
  engine::InferRequest request(nullptr, std::make_unique<engine::testing::FakeSink>(
                                            std::make_shared<engine::testing::Answer>()));
  NamedTensor& input = request.inputs.emplace_back();
  input.tensor.data = Buffer::CopyOf(data);
  if (!parts.empty()) {
    request.parameters.push_back({"parts", parts});
  }
  const auto content = ContentOf(request, decode);
  const char* const kinds[] = {"bytes ", "text ", "json "};
  return content.ok() ? kinds[static_cast<int>(content->kind)] + std::string(content->bytes.view())
                      : content.status().message();
}

std::string Part(const std::string& name, const std::string& type, int offset, int size) {
  return fmt::format(R"({{"name": "{}", "type": "{}", "offset": {}, "size": {}}})", name, type,
                     offset, size);
}

TEST(RequestContentTest, ContentOf_TakesDataBeforeBody) {
  EXPECT_EQ(Content("abc", ""), "bytes abc");
  const std::string body = Part("body", "", 0, 2), data = Part("data", "", 2, 3);
  EXPECT_EQ(Content("xxabc", "[" + body + "," + data + "]"), "bytes abc");
  EXPECT_EQ(Content("xxabc", "[" + body + "," + Part("data", "", 2, 0) + "]"), "bytes xx");
  EXPECT_EQ(Content("xxabc", "[" + data + "," + Part("data", "", 0, 1) + "]"), "bytes x");
  EXPECT_THAT(Content("xxabc", "[" + Part("file", "", 0, 2) + "]"), HasSubstr("no part 'data'"));
  EXPECT_THAT(Content("", ""), HasSubstr("is empty"));
}

TEST(RequestContentTest, ContentOf_DecodesByTheMediaType) {
  const auto typed = [](const std::string& data, const std::string& type, bool decode = true) {
    return Content(data, "[" + Part("body", type, 0, static_cast<int>(data.size())) + "]", decode);
  };
  EXPECT_EQ(typed("abc", "text/plain"), "text abc");
  EXPECT_EQ(typed("abc", "text/plain", false), "bytes abc");
  EXPECT_EQ(typed("a\xff", "text/plain"), "bytes a\xff");
  EXPECT_EQ(typed("\"abc\"", "application/json"), "text abc");
  EXPECT_EQ(typed("[1]", "application/json"), "json [1]");
  EXPECT_EQ(typed("[1]", "application/json", false), "bytes [1]");
  EXPECT_EQ(typed("[1", "application/json"), "bytes [1");
  EXPECT_EQ(typed("[1]", "Application/JSON"), "bytes [1]");
  for (const char* empty : {"[]", "{}", "null", "0", "false", "\"\""}) {
    EXPECT_THAT(typed(empty, "application/json"), HasSubstr("not empty")) << empty;
  }
}

TEST(RequestContentTest, ContentOf_RefusesPartsOutsideOfTheData) {
  EXPECT_THAT(Content("abc", "[" + Part("body", "", 2, 2) + "]"), HasSubstr("lies outside"));
  EXPECT_THAT(Content("abc", "[" + Part("body", "", 4, 0) + "]"), HasSubstr("lies outside"));
  EXPECT_THAT(Content("abc", "{}"), HasSubstr("no JSON list"));
}

NamedTensor Scores(Shape shape, std::vector<float> values) {
  NamedTensor output;
  output.tensor.dtype = DataType::kFp32;
  output.tensor.shape = shape;
  output.tensor.data =
      Buffer::CopyOf({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  return output;
}

TEST(ImageClassifierTest, Postprocess_WritesTheBestFirst) {
  NativeHandlerOptions options;
  options.labels = *LabelMap::Parse(R"({"1": "one", "2": "two"})");
  options.class_count_max = 3;
  const ImageClassifier classifier(options);
  const NamedTensor scores = Scores({1, 4}, {0, 2, 1, -1});
  const auto answer = classifier.Postprocess({&scores, 1});
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(*answer, HasSubstr("{\n  \"one\": 0.64"));
  EXPECT_THAT(*answer, HasSubstr(",\n  \"two\": 0.23"));
  EXPECT_THAT(*answer, HasSubstr(",\n  \"0\": 0.08"));
  EXPECT_THAT(*answer, testing::Not(HasSubstr("\"3\"")));
}

TEST(ImageClassifierTest, Postprocess_OfFewClassesAnswersThoseThatThereAre) {
  const ImageClassifier classifier({});
  const NamedTensor scores = Scores({1, 1}, {5});
  EXPECT_EQ(*classifier.Postprocess({&scores, 1}), "{\n  \"0\": 1.0\n}");
}

TEST(ImageClassifierTest, Postprocess_RefusesWhatIsNoListOfScores) {
  const ImageClassifier classifier({});
  const NamedTensor cube = Scores({1, 1, 1}, {5}), none = Scores({1, 0}, {});
  EXPECT_FALSE(classifier.Postprocess({}).ok());
  EXPECT_FALSE(classifier.Postprocess({&cube, 1}).ok());
  EXPECT_FALSE(classifier.Postprocess({&none, 1}).ok());
}

TEST(ImageSegmenterTest, Postprocess_AnswersTheClassOfEachPixel) {
  const ImageSegmenter segmenter({});
  const NamedTensor scores = Scores({1, 2, 1, 2}, {3, 0, 3, 100});
  const auto answer = segmenter.Postprocess({&scores, 1});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(*answer,
            "[\n  [\n    [\n      0.0,\n      0.5\n    ],\n    [\n      1.0,\n      1.0\n    "
            "]\n  ]\n]");
}

template <typename T>
NamedTensor Output(std::string name, DataType dtype, Shape shape, const std::vector<T>& values) {
  NamedTensor output{std::move(name), {}};
  output.tensor.dtype = dtype;
  output.tensor.shape = std::move(shape);
  output.tensor.data =
      Buffer::CopyOf({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
  return output;
}

std::vector<NamedTensor> Detections(std::int64_t count) {
  std::vector<NamedTensor> outputs;
  outputs.push_back(Output<float>("boxes", DataType::kFp32, Shape({1, 3, 4}),
                                  {1, 2, 3.5, 4, 5, 6, 7, 8, 0, 0, 0, 0}));
  outputs.push_back(Output<std::int64_t>("labels", DataType::kInt64, Shape({1, 3}), {1, 2, 0}));
  outputs.push_back(Output<float>("scores", DataType::kFp32, Shape({1, 3}), {0.75, 0.5, 0}));
  outputs.push_back(Output<std::int64_t>("count", DataType::kInt64, Shape({1, 1}), {count}));
  return outputs;
}

TEST(ObjectDetectorTest, Postprocess_AnswersWhatHasScoreEnough) {
  const ObjectDetector detector({.labels = *LabelMap::Parse(R"({"1": "cat", "2": "score"})")});
  const auto both = detector.Postprocess(Detections(2));
  ASSERT_TRUE(both.ok()) << both.status().message();
  EXPECT_EQ(*both,
            "[\n  {\n    \"cat\": [\n      1.0,\n      2.0,\n      3.5,\n      4.0\n    ],\n"
            "    \"score\": 0.75\n  },\n  {\n    \"score\": 0.5\n  }\n]");
  EXPECT_EQ(*detector.Postprocess(Detections(0)), "[]");
  const ObjectDetector strict({.labels = {}, .score_min = 0.6});
  EXPECT_THAT(*strict.Postprocess(Detections(3)), HasSubstr("\"1\": ["));
  EXPECT_THAT(*strict.Postprocess(Detections(3)), testing::Not(HasSubstr("\"2\"")));
}

TEST(ObjectDetectorTest, Postprocess_RefusesOtherAnswers) {
  const ObjectDetector detector({});
  for (const std::int64_t count : {std::int64_t{4}, std::int64_t{-1}, INT64_MAX, INT64_MIN}) {
    EXPECT_FALSE(detector.Postprocess(Detections(count)).ok()) << count;
  }
  for (std::size_t missing = 0; missing < 4; ++missing) {
    auto outputs = Detections(2);
    outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(missing));
    EXPECT_FALSE(detector.Postprocess(outputs).ok()) << missing;
  }
}

}  // namespace
}  // namespace headrace::handler

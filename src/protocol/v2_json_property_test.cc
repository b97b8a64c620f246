// Properties of the v2 codec over cut, damaged and random requests. The library's DOM parser, which
// the codec does not use, is the judge of what is JSON.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "protocol/v2_json.h"
#include "protocol/v2_test_support.h"

namespace headrace::protocol {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kSyntaxError = "failed to parse the request JSON buffer: ";

const std::string_view kBodies[] = {
    R"({"id":"a\u00e9\"","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1.5,-2e3],[0,4.25E-2]]}]})",
    R"( { "inputs" : [ { "data" : [ "a" , "\n\ud83d\ude00" , "" ] , "name" : "b" , "shape" : [ 3 ] , "datatype" : "BYTES" } ] } )",
    R"({"inputs":[{"name":"x","shape":[1],"datatype":"BOOL","data":[true]},{"name":"y","shape":[3],"datatype":"UINT8","data":[1,22,255]}],"outputs":[{"name":"z","parameters":{"classification":3,"binary_data":false}}]})",
    R"({"parameters":{"priority":1,"timeout":5,"sequence_id":"s","sequence_start":true,"a":-1.5,"b":"c"},"more":[{"k":[null,true,{}]},1e5],"inputs":[]})",
};

class V2JsonPropertyTest : public ::testing::Test, public CodecFixture {
 protected:
  // Sizes and counts that whoever takes the request relies on.
  static void ExpectConsistent(const V2InferRequest& request, std::string_view json) {
    for (const NamedTensor& input : request.inputs) {
      const auto count = input.tensor.shape.ElementCount();
      ASSERT_TRUE(count.has_value()) << json;
      const std::size_t width = DataTypeByteSize(input.tensor.dtype);
      if (width != 0) {
        EXPECT_EQ(input.tensor.byte_size(), static_cast<std::size_t>(*count) * width) << json;
      }
    }
  }

  // The codec's verdict on `json` must not be at odds with the judge's.
  void ExpectLikeJudge(const std::string& json) {
    const Result<V2InferRequest> request = Parse(json);
    simdjson::dom::element element;
    const simdjson::error_code judge = judge_.parse(json).get(element);
    if (request.ok()) {
      ExpectConsistent(*request, json);
      // The judge has no numbers beyond 64 bits; the codec passes over them where it needs no
      // value.
      EXPECT_TRUE(judge == simdjson::SUCCESS || judge == simdjson::NUMBER_ERROR) << json << "\n"
                                                                                 << judge;
      return;
    }
    const std::string& message = request.status().message();
    EXPECT_FALSE(message.empty());
    if (judge == simdjson::SUCCESS && message.starts_with(kSyntaxError)) {
      const bool stricter = message.find("Equal keys") != std::string::npos ||
                            message.find("Invalid escape") != std::string::npos ||
                            message.find("The root must be an object") != std::string::npos;
      EXPECT_TRUE(stricter) << json << "\n" << message;
    }
  }

 private:
  simdjson::dom::parser judge_;
};

TEST_F(V2JsonPropertyTest, EveryProperPrefix_IsRefusedWithAPosition) {
  for (const std::string_view body : kBodies) {
    ASSERT_TRUE(Parse(body).ok()) << Error(body);
    const std::size_t end = body.find_last_of('}') + 1;
    for (std::size_t byte_size = 0; byte_size < end; ++byte_size) {
      for (int behind = 0; behind < 12; ++behind) {
        EXPECT_FALSE(Parse(body.substr(0, byte_size)).ok());
      }
      const auto request = Parse(body.substr(0, byte_size));
      EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument) << body.substr(0, byte_size);
      EXPECT_THAT(request.status().message(), HasSubstr(kSyntaxError)) << body.substr(0, byte_size);
    }
  }
}

TEST_F(V2JsonPropertyTest, UnclosedBodies_AreNotContinued_BehindTheirEnd) {
  for (const std::string_view body :
       {R"({"a":[{})", R"({"a":[1,{"b":[]})", R"({"a":{"b":1})", R"({"a":{})", R"({"a":[[[{})",
        R"({"inputs":[{})", R"({"inputs":[{"x":1})", R"({"inputs":[{"parameters":{}})",
        R"({"inputs":[],"outputs":[{"name":"y"})", R"({"inputs":[{"data":[1})",
        R"({"inputs":[{"data":[{}})", R"({"parameters":{"a":{})"}) {
    for (int behind = 0; behind < 12; ++behind) {
      const auto request = Parse(body);
      EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument) << body;
    }
  }
}

TEST_F(V2JsonPropertyTest, EveryHeaderLength_ButTheTrueOne_IsRefused) {
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[8],"datatype":"INT8","parameters":{"binary_data_size":8}}]})";
  for (const std::string_view binary :
       {"12345678", "}}}}}}}}", "\"\"\"\"\"\"\"\"", "]}{[]}{[", ",,,,,,,,", "]]]]]]]]"}) {
    const Buffer body = Place(json + std::string(binary));
    for (std::size_t length = 0; length <= body.size() + 1; ++length) {
      EXPECT_EQ(parser.ParseInferRequest(body, length, "m", limits, pool).ok(),
                length == json.size())
          << length;
    }
    for (std::size_t byte_size = 0; byte_size < body.size(); ++byte_size) {
      EXPECT_FALSE(
          parser.ParseInferRequest(body.Slice(0, byte_size), json.size(), "m", limits, pool).ok());
    }
  }
}

TEST_F(V2JsonPropertyTest, DamagedBodies_GetTheJudgesVerdict) {
  std::mt19937 random(20260102);
  const std::string_view kPieces[] = {"{",        "}",
                                      "[",        "]",
                                      ",",        ":",
                                      "\"",       "\\",
                                      "0",        "-",
                                      "1e9",      ".",
                                      "e",        "true",
                                      "null",     "nul",
                                      " ",        "\n",
                                      "\x01",     "\xC3",
                                      "\xA9",     "\xFF",
                                      "\\u0000",  "\\ud800",
                                      "NaN",      "[[",
                                      "]]",       "1e400",
                                      "\"a\":1,", "[]",
                                      "{}",       "//",
                                      "'",        "99999999999999999999"};
  for (int round = 0; round < 20'000; ++round) {
    std::string body(kBodies[random() % std::size(kBodies)]);
    for (unsigned edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t place = random() % body.size();
      switch (random() % 4) {
        case 0:
          body.erase(place, 1 + random() % 4);
          break;
        case 1:
          body.insert(place, kPieces[random() % std::size(kPieces)]);
          break;
        case 2:
          body[place] = static_cast<char>(random());
          break;
        default: {
          const std::size_t from = random() % body.size();
          body.insert(place, body.substr(from, random() % 12));
        }
      }
      if (body.empty()) {
        body = " ";
      }
    }
    ExpectLikeJudge(body);
  }
}

// Writes the same request in many ways.
class RandomWriter {
 public:
  explicit RandomWriter(std::mt19937& random) : random_(random) {}

  std::string Blank() {
    return std::string(random_() % 3 == 0 ? random_() % 3 : 0, " \n\t\r"[random_() % 4]);
  }
  // The elements, nested by `dims` from `level` on.
  std::string Data(const std::vector<std::string>& elements, const std::vector<std::size_t>& dims) {
    std::size_t next = 0;
    return Nested(elements, dims, 0, next);
  }
  std::string Object(std::vector<std::string> members) {
    std::shuffle(members.begin(), members.end(), random_);
    return List("{", members, "}");
  }
  std::string List(std::string_view open, const std::vector<std::string>& items,
                   std::string_view close) {
    std::string out = Blank() + std::string(open) + Blank();
    for (std::size_t i = 0; i < items.size(); ++i) {
      out += (i == 0 ? "" : "," + Blank()) + items[i] + Blank();
    }
    return out + std::string(close) + Blank();
  }

 private:
  std::string Nested(const std::vector<std::string>& elements, const std::vector<std::size_t>& dims,
                     std::size_t level, std::size_t& next) {
    std::vector<std::string> items;
    for (std::size_t i = 0; i < dims[level]; ++i) {
      items.push_back(level + 1 == dims.size() ? elements[next++]
                                               : Nested(elements, dims, level + 1, next));
    }
    return List("[", items, "]");
  }

  std::mt19937& random_;
};

TEST_F(V2JsonPropertyTest, RandomRequests_AreReadAsWritten) {
  std::mt19937 random(20260103);
  RandomWriter writer(random);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<std::size_t> dims(1 + random() % 3);
    std::vector<std::string> shape;
    std::size_t count = 1;
    for (std::size_t& dim : dims) {
      dim = 1 + random() % 4;
      count *= dim;
      shape.push_back(std::to_string(dim));
    }
    std::vector<std::int64_t> values(count);
    std::vector<std::string> elements;
    for (std::int64_t& value : values) {
      value =
          static_cast<std::int64_t>(std::uint64_t{random()} << 32 | random()) >> (random() % 64);
      elements.push_back(std::to_string(value));
    }
    if (random() % 2 == 0) {
      dims = {count};
    }
    const std::string id = fmt::format("id-{}", round);
    const std::string input =
        writer.Object({"\"name\":" + writer.Blank() + "\"x\"", "\"datatype\":\"INT64\"",
                       "\"shape\":" + writer.List("[", shape, "]"),
                       "\"data\":" + writer.Data(elements, dims), "\"other\":[1,{\"a\":null}]"});
    const std::string json =
        writer.Object({"\"id\":\"" + id + "\"", "\"inputs\":[" + input + "]", "\"outputs\":[]",
                       "\"parameters\":{\"n\":" + elements[0] + "}"});
    const auto request = Parse(json);
    ASSERT_TRUE(request.ok()) << json << "\n" << request.status().message();
    EXPECT_EQ(request->id, id);
    EXPECT_EQ(std::get<std::int64_t>(request->parameters[0].value), values[0]);
    const Buffer& data = request->inputs[0].tensor.data;
    ASSERT_EQ(data.size(), count * sizeof(std::int64_t));
    EXPECT_EQ(std::memcmp(data.data(), values.data(), data.size()), 0) << json;
  }
}

TEST_F(V2JsonPropertyTest, RandomBytes_AreStringsOrRefused) {
  std::mt19937 random(20260104);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text) {
      c = random() % 4 == 0 ? static_cast<char>(random()) : "a\\\"u0dn"[random() % 7];
    }
    ExpectLikeJudge(Request("BYTES", "[1]", "[\"" + text + "\"]"));
  }
}

}  // namespace
}  // namespace headrace::protocol

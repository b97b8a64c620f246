#include "worker/json_messages.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace headrace::worker {
namespace {

// With the bytes behind it that the reader wants.
class Text {
 public:
  explicit Text(std::string_view json) : padded_(json), size_(json.size()) {
    padded_.resize(size_ + protocol::JsonCursor::kPadding);
  }
  operator std::string_view() const {
    return std::string_view(padded_).substr(0, size_);
  }  // NOLINT

 private:
  std::string padded_;
  std::size_t size_;
};

TEST(JsonMessagesTest, CodesHaveTritonsNames) {
  for (const std::string_view name :
       {"UNKNOWN", "INTERNAL", "NOT_FOUND", "INVALID_ARG", "UNAVAILABLE", "UNSUPPORTED",
        "ALREADY_EXISTS", "CANCELLED"}) {
    EXPECT_EQ(NameOfCode(CodeFromName(name)), name);
  }
  EXPECT_EQ(CodeFromName("what"), StatusCode::kInternal);
  EXPECT_EQ(NameOfCode(StatusCode::kDeadlineExceeded), "UNAVAILABLE");
}

TEST(JsonMessagesTest, Load_SaysEverything) {
  const std::vector<std::string> inputs = {"A"}, outputs = {"B", "C"};
  const std::string json = EncodeLoad({.contract = "triton",
                                       .model_name = "m\"",
                                       .model_directory = "/models/m",
                                       .model_file = "model.py",
                                       .config_json = R"({"name":"m"})",
                                       .instance_name = "m_0_0",
                                       .version = 3,
                                       .kind = engine::InstanceKind::kGpu,
                                       .device_id = 1,
                                       .input_names = &inputs,
                                       .output_names = &outputs,
                                       .decoupled = true,
                                       .data_byte_size = 8192,
                                       .data_middle = 4096,
                                       .handler_json = {}});
  EXPECT_EQ(json, R"({"contract":"triton","model_name":"m\"","model_version":3,)"
                  R"("model_directory":"/models/m","version_directory":"/models/m/3",)"
                  R"("model_file":"model.py","config":{"name":"m"},"instance_name":"m_0_0",)"
                  R"("kind":"GPU","device_id":1,"input_names":["A"],"output_names":["B","C"],)"
                  R"("decoupled":true,"data":{"size":8192,"middle":4096},"handler":{}})");
}

TEST(JsonMessagesTest, Response_HasErrorAndParameters) {
  JsonDecoder decoder;
  const Text json(R"({"error":{"code":"NOT_FOUND","message":"no"},)"
                  R"("parameters":{"t":"x","n":-5,"f":1.5,"b":true},"later":[1,{}]})");
  const auto extras = decoder.Response(json);
  ASSERT_TRUE(extras.ok()) << extras.status().ToString();
  EXPECT_EQ(extras->error.code(), StatusCode::kNotFound);
  EXPECT_EQ(extras->error.message(), "no");
  ASSERT_EQ(extras->parameters.size(), 4U);
  EXPECT_EQ(std::get<std::string>(extras->parameters[0].value), "x");
  EXPECT_EQ(std::get<std::int64_t>(extras->parameters[1].value), -5);
  EXPECT_EQ(std::get<double>(extras->parameters[2].value), 1.5);
  EXPECT_EQ(std::get<bool>(extras->parameters[3].value), true);
  EXPECT_TRUE(decoder.Response("").ok());
}

TEST(JsonMessagesTest, Response_CutsAVeryLongError) {
  const Text json(R"({"error":{"code":"INTERNAL","message":")" + std::string(1'000'000, 'x') +
                  R"("}})");
  EXPECT_LT(JsonDecoder().Response(json)->error.message().size(), 70'000U);
}

TEST(JsonMessagesTest, Config_MayBeMissing) {
  EXPECT_EQ(*JsonDecoder().Config(Text(R"({"config":null})")), std::nullopt);
  EXPECT_EQ(**JsonDecoder().Config(Text(R"({"config":"{\"name\":1}"})")), R"({"name":1})");
  EXPECT_EQ(JsonDecoder()
                .Config(Text(R"({"error":{"code":"INTERNAL","message":"x"}})"))
                .status()
                .message(),
            "x");
}

TEST(JsonMessagesTest, Call_HasItsFields) {
  const Text json(R"({"model_name":"m","model_version":-1,"decoupled":true,"parent":4097,)"
                  R"("wanted_outputs":["A","B"],"id":"i","correlation_id":"c","priority":2})");
  const auto call = JsonDecoder().Call(json);
  ASSERT_TRUE(call.ok()) << call.status().ToString();
  EXPECT_EQ(call->model_name, "m");
  EXPECT_EQ(call->model_version, -1);
  EXPECT_TRUE(call->decoupled);
  EXPECT_EQ(call->parent, 4097U);
  EXPECT_EQ(call->wanted_outputs, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(call->correlation_id, "c");
  EXPECT_EQ(call->priority, 2U);
}

TEST(JsonMessagesTest, Control_HasItsFiles) {
  const auto control = JsonDecoder().Control(
      Text(R"({"id":7,"op":"load","model_name":"m","config":"{}","files":{"1/model.py":[64,5]}})"));
  ASSERT_TRUE(control.ok()) << control.status().ToString();
  EXPECT_EQ(control->id, 7U);
  ASSERT_EQ(control->files.size(), 1U);
  EXPECT_EQ(control->files[0].path, "1/model.py");
  EXPECT_EQ(control->files[0].offset, 64U);
  EXPECT_EQ(control->files[0].byte_size, 5U);
  EXPECT_FALSE(JsonDecoder().Control(Text(R"({"files":{"a":[1]}})")).ok());
  EXPECT_FALSE(JsonDecoder().Control(Text(R"({"files":{"a":[-1,2]}})")).ok());
}

TEST(JsonMessagesTest, WrongTypesAreRefused) {
  for (const std::string_view json :
       {"", "[]", "null", R"({"op":1})", R"({"id":"x"})", R"({"id":-1})", R"({"labels":[]})",
        R"({"buckets":["x"]})", R"({"value":"x"})", R"({"op":"a"} x)", R"({"op":"a")"}) {
    EXPECT_EQ(JsonDecoder().Metric(Text(json)).status().code(), StatusCode::kInvalidArgument)
        << json;
  }
}

// Texts with bytes changed at random are read, or refused; nothing else.
TEST(JsonMessagesTest, DamagedTextsDoNoHarm) {
  std::mt19937 random(3);
  const std::string whole =
      R"({"id":1,"op":"load","error":{"code":"INTERNAL","message":"x"},"parameters":{"a":[1]},)"
      R"("files":{"a":[1,2]},"labels":{"a":"b"},"buckets":[1.5,2],"wanted_outputs":["a"]})";
  JsonDecoder decoder;
  for (int round = 0; round < 20'000; ++round) {
    std::string json = whole;
    for (std::uint32_t i = 1 + random() % 4; i > 0; --i) {
      json[random() % json.size()] = static_cast<char>(random());
    }
    json.resize(random() % 4 == 0 ? random() % json.size() : json.size());
    const Text text(json);
    (void)decoder.Response(text);
    (void)decoder.Call(text);
    (void)decoder.Metric(text);
    (void)decoder.Control(text);
    (void)decoder.Log(text);
    (void)decoder.Config(text);
    (void)decoder.Hello(text);
    (void)decoder.Readiness(text);
  }
}

}  // namespace
}  // namespace headrace::worker

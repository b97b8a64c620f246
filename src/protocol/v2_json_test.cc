#include "protocol/v2_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/v2_test_support.h"

namespace headrace::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class V2JsonTest : public ::testing::Test, public CodecFixture {};

TEST_F(V2JsonTest, Parse_FillsRequest_FromJson) {
  const auto request = Parse(
      R"( {"id":"a-1","inputs":[{"name":"x","shape":[2,2],"datatype":"INT32","data":[1,-2,3,4]}],)"
      R"("outputs":[{"name":"y","parameters":{"binary_data":true}},{"name":"z","parameters":{"classification":3}}],)"
      R"("parameters":{"priority":2,"timeout":1000,"sequence_id":7,"sequence_start":true,"sequence_end":true,)"
      R"("binary_data_output":true,"text":"t","n":-5,"f":1.5,"b":false}} )");
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->id, "a-1");
  ASSERT_EQ(request->inputs.size(), 1u);
  EXPECT_EQ(request->inputs[0].name, "x");
  EXPECT_EQ(request->inputs[0].tensor.dtype, DataType::kInt32);
  EXPECT_EQ(request->inputs[0].tensor.shape, (Shape{2, 2}));
  EXPECT_EQ(request->inputs[0].tensor.data.size(), 16u);
  ASSERT_EQ(request->outputs.size(), 2u);
  EXPECT_EQ(request->outputs[0].binary_data, true);
  EXPECT_EQ(request->outputs[1].binary_data, std::nullopt);
  EXPECT_EQ(request->outputs[1].classification_count, 3u);
  EXPECT_EQ(request->priority, 2u);
  EXPECT_EQ(request->timeout_us, 1000u);
  EXPECT_EQ(request->correlation_id, 7u);
  EXPECT_EQ(request->sequence_flags, 3u);
  EXPECT_TRUE(request->binary_output_default);
  ASSERT_EQ(request->parameters.size(), 4u);
  EXPECT_EQ(std::get<std::string>(request->parameters[0].value), "t");
  EXPECT_EQ(std::get<std::int64_t>(request->parameters[1].value), -5);
  EXPECT_EQ(std::get<double>(request->parameters[2].value), 1.5);
  EXPECT_EQ(std::get<bool>(request->parameters[3].value), false);
}

TEST_F(V2JsonTest, Parse_TakesBinaryInputsInOrder_AsSlicesOfTheBody) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[1],"datatype":"INT32","parameters":{"binary_data_size":4}},)"
      R"({"name":"b","shape":[2],"datatype":"INT8","data":[1,2]},)"
      R"({"parameters":{"binary_data_size":3},"name":"c","shape":[3],"datatype":"UINT8"}]})";
  const Buffer body = Place(json + "abcdefg");
  const auto request = parser.ParseInferRequest(body, json.size(), "m", limits, pool);
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->inputs[0].tensor.data.view(), "abcd");
  EXPECT_EQ(request->inputs[0].tensor.data.data(), body.data() + json.size());
  EXPECT_EQ(request->inputs[1].tensor.data.view(), "\x01\x02");
  EXPECT_EQ(request->inputs[2].tensor.data.view(), "efg");
}

TEST_F(V2JsonTest, Parse_AcceptsMembersInAnyOrder) {
  const auto request = Parse(
      R"({"outputs":[],"inputs":[{"data":[[1],[2]],"datatype":"FP32","name":"x","shape":[2]}]})");
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->inputs[0].tensor.data.size(), 8u);
}

TEST_F(V2JsonTest, Parse_UndoesEscapes_InKeysNamesAndData) {
  const auto request = Parse(
      R"({"\u0069nputs":[{"na\u006De":"x\u00e9","shape":[2],"datatype":"BYTES","data":["a\u0000b\n","\ud83d\ude00"]}]})");
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->inputs[0].name, "x\xC3\xA9");
  EXPECT_EQ(request->inputs[0].tensor.data.view(),
            std::string_view("\x04\0\0\0a\0b\n\x04\0\0\0\xF0\x9F\x98\x80", 16));
}

TEST_F(V2JsonTest, Parse_PassesOverUnknownMembers) {
  EXPECT_TRUE(
      Parse(R"({"more":{"a":[1e400,{"b":null}],"c":true},"inputs":[],"x":-0.5e-3,"y":"\""})").ok());
}

struct BadBody {
  std::string_view json;
  std::string_view message;
};

TEST_F(V2JsonTest, Parse_NamesThePosition_OfWhatIsNotJson) {
  const BadBody kCases[] = {
      {"", "failed to parse the request JSON buffer: The document is empty. at 0"},
      {"   ", "The document is empty."},
      {"null", "The root must be an object. at 0"},
      {"[]", "The root must be an object. at 0"},
      {" 42", "The root must be an object. at 1"},
      {"\"inputs\"", "The root must be an object. at 0"},
      {"\xEF\xBB\xBF{\"inputs\":[]}", "at 0"},
      {R"({"inputs":[]} x)", "Missing a closing brace, or text behind it. at 15"},
      {R"({"inputs":[]}{})", "must not be followed by other values. at 13"},
      {R"({"inputs":[]}})", "at 1"},
      {R"({"inputs":[])", "Missing a closing brace, or text behind it. at 12"},
      {R"({"inputs":[})", "at 1"},
      {R"({"inputs":[],})", "at 1"},
      {R"({"inputs":[]"id":"1"})", "at 12"},
      {R"({"inputs" []})", "at "},
      {R"({inputs:[]})", "at 1"},
      {R"({"a":tru,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":truex,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":nul,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":NaN,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":Infinity,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":-Infinity,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":01,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":+1,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":.5,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":5.,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":0x1,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":1e,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":-,"inputs":[]})", "Invalid value. at 5"},
      {R"({"a":[1,],"inputs":[]})", "at 8"},
      {R"({"a":[1 2],"inputs":[]})", "at 8"},
      {R"({"a":'x',"inputs":[]})", "at 5"},
      {R"({"a":"\x","inputs":[]})", "Invalid escape in a string. at 5"},
      {R"({"a":"\ud800","inputs":[]})", "Invalid escape in a string. at 5"},
      {R"({"a":"\udc00","inputs":[]})", "Invalid escape in a string. at 5"},
      {R"({"a":"\ud800\ud800","inputs":[]})", "Invalid escape in a string. at 5"},
      {R"({"\ud800":1,"inputs":[]})", "Invalid escape in a key. at 2"},
      {"{\"a\":\"\n\",\"inputs\":[]}", "Control character in string. at 6"},
      {"{\"a\":\"\xC0\xAF\",\"inputs\":[]}", "Invalid UTF-8 encoding. at 6"},
      {"{\"a\":\"\xFF\",\"inputs\":[]}", "Invalid UTF-8 encoding. at 6"},
      {"{\"a\":\"\xED\xA0\x80\",\"inputs\":[]}", "Invalid UTF-8 encoding. at 6"},
      {R"({"a":"x,"inputs":[]})", "at "},
      {R"({"a)", "Missing a closing quotation mark in string. at 1"},
      {R"({"id":"1","id":"2","inputs":[]})", "Equal keys in one object. at 11"},
      {R"({"a":{"b":1,"b":2},"inputs":[]})", "Equal keys in one object."},
      {R"({"i\u0064":"1","id":"2","inputs":[]})", "Equal keys in one object."},
  };
  for (const BadBody& bad : kCases) {
    const auto request = Parse(bad.json);
    EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument) << bad.json;
    EXPECT_THAT(request.status().message(), HasSubstr(bad.message)) << bad.json;
    EXPECT_THAT(request.status().message(), HasSubstr("failed to parse the request JSON buffer: "))
        << bad.json;
  }
}

TEST_F(V2JsonTest, Parse_NamesTheField_OfWhatIsNoRequest) {
  const BadBody kCases[] = {
      {"{}", "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"},
      {R"({"inputs":{}})", "Unable to parse 'inputs': attempt to access JSON non-array as array"},
      {R"({"inputs":[1]})", "attempt to access JSON non-object as object"},
      {R"({"inputs":[{}]})",
       "Unable to parse 'name': attempt to access non-existing object member 'name' "
       "(inputs[0].name)"},
      {R"({"inputs":[{"name":"x"}]})", "'datatype' (inputs[0].datatype)"},
      {R"({"inputs":[{"name":"x","datatype":"FP32"}]})", "'shape' (inputs[0].shape)"},
      {R"({"inputs":[{"name":1}]})",
       "Unable to parse 'name': attempt to access JSON non-string as string (inputs[0].name)"},
      {R"({"inputs":[{"name":"a\u0000"}]})", "control characters"},
      {R"({"inputs":[{"name":"x","datatype":1}]})",
       "'datatype': attempt to access JSON non-string as string"},
      {R"({"id":5,"inputs":[]})",
       "Unable to parse 'id': attempt to access JSON non-string as string (id)"},
      {R"({"id":"a\u0001","inputs":[]})", "control characters"},
      {R"({"inputs":[],"outputs":{}})",
       "Unable to parse 'outputs': attempt to access JSON non-array as array"},
      {R"({"inputs":[],"outputs":["y"]})",
       "Unable to parse 'outputs': attempt to access JSON non-object as object"},
      {R"({"inputs":[],"outputs":[{}]})",
       "Unable to parse 'name': attempt to access non-existing object member 'name' "
       "(outputs[0].name)"},
      {R"({"inputs":[],"outputs":[{"name":"y","parameters":{"classification":-1}}]})",
       "Unable to parse 'classification'"},
      {R"({"inputs":[],"outputs":[{"name":"y","parameters":{"binary_data":1}}]})",
       "Unable to parse 'binary_data': attempt to access JSON non-boolean as boolean "
       "(outputs[0].parameters.binary_data)"},
  };
  for (const BadBody& bad : kCases) {
    const auto request = Parse(bad.json);
    EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument) << bad.json;
    EXPECT_THAT(request.status().message(), HasSubstr(bad.message)) << bad.json;
  }
}

TEST_F(V2JsonTest, Parse_RefusesDatatypes_ThatAreNone) {
  for (const std::string_view dtype : {"fp32", "", "FLOAT", "TYPE_FP32", "Fp32", "<invalid>"}) {
    EXPECT_THAT(ErrorOfData(dtype, "[1]", "[1]"), HasSubstr("invalid datatype for input x: "))
        << dtype;
  }
}

TEST_F(V2JsonTest, Parse_RefusesShapes_ThatAreNone) {
  for (const std::string_view shape : {"[-1]", "[1.5]", "[\"2\"]", "[null]", "[[1]]", "{}", "1",
                                       "[18446744073709551616]", "[1e1]"}) {
    EXPECT_THAT(ErrorOfData("FP32", shape, "[1]"), HasSubstr("Unable to parse 'shape': ")) << shape;
  }
  std::string rank = "[1";
  for (int i = 0; i < 1000; ++i) {
    rank += ",1";
  }
  EXPECT_THAT(ErrorOfData("FP32", rank + "]", "[1]"), HasSubstr("more than 16 dimensions"));
}

TEST_F(V2JsonTest, Parse_RefusesShapes_WhoseByteSizeOverflows) {
  for (const std::string_view shape :
       {"[16,1152921504606846978]", "[4,1152921504606846978]", "[1099511627777]",
        "[1099511627776,1099511627776]", "[1099511627776,4194304]"}) {
    EXPECT_THAT(ErrorOfData("FP32", shape, "[1]"), HasSubstr("overflow")) << shape;
  }
  const auto binary = Parse(
      R"({"inputs":[{"name":"x","shape":[16,1152921504606846978],"datatype":"BYTES","parameters":{"binary_data_size":0}}]})",
      "");
  EXPECT_THAT(binary.status().message(), HasSubstr("overflow"));
}

TEST_F(V2JsonTest, Parse_CountsNesting_ToItsLimit) {
  const auto nested = [](std::size_t arrays) {  // inside one object
    return R"({"inputs":[],"a":)" + std::string(arrays, '[') + std::string(arrays, ']') + "}";
  };
  EXPECT_TRUE(Parse(nested(63)).ok());
  EXPECT_THAT(Error(nested(64)), HasSubstr("Nesting is too deep. at 80"));
  EXPECT_THAT(Error(nested(250'000)), HasSubstr("Nesting is too deep."));
  EXPECT_THAT(Error(R"({"a":)" + std::string(250'000, '[')), HasSubstr("Missing a closing brace"));
  std::string objects = R"({"inputs":[],"parameters":)";
  for (int i = 0; i < 100; ++i) {
    objects += R"({"a":)";
  }
  EXPECT_NE(Error(objects + "1" + std::string(101, '}')), "");
  // inputs, the input and its members are three levels.
  EXPECT_TRUE(
      Parse(Request("INT8", "[1]", std::string(61, '[') + "1" + std::string(61, ']'))).ok());
  EXPECT_THAT(ErrorOfData("INT8", "[1]", std::string(62, '[') + "1" + std::string(62, ']')),
              HasSubstr("Nesting is too deep."));
}

TEST_F(V2JsonTest, Parse_RefusesParameters_ThatAreReservedOrOfNoKind) {
  const BadBody kCases[] = {
      {R"({"sequence_id":{}})", "Unable to parse 'sequence_id'"},
      {R"({"sequence_id":-1})",
       "Unable to parse 'sequence_id': attempt to access JSON non-unsigned-integer as "
       "unsigned-integer"},
      {R"({"sequence_start":1})",
       "Unable to parse 'sequence_start': attempt to access JSON non-boolean as boolean"},
      {R"({"priority":-1})", "Unable to parse 'priority'"},
      {R"({"priority":"1"})", "Unable to parse 'priority'"},
      {R"({"timeout":-1})", "Unable to parse 'timeout'"},
      {R"({"timeout":18446744073709551616})", "Unable to parse 'timeout'"},
      {R"({"timeout":1.5})", "Unable to parse 'timeout'"},
      {R"({"binary_data_output":"true"})", "Unable to parse 'binary_data_output'"},
      {R"({"headers":"x"})", "reserved"},
      {R"({"triton_enable_empty_final_response":true})",
       "parameter keys starting with 'triton_' are reserved for Triton usage"},
      {R"({"a":{}})", "has an invalid type. It should be either"},
      {R"({"a":[1]})", "has an invalid type. It should be either"},
      {R"({"a":null})", "has an invalid type. It should be either"},
      {R"({"a":9223372036854775808})", "parameters.a"},
      {R"({"a":1e400})", "parameters.a"},
      {R"({"a":1,"a":2})", "Equal keys"},
      {R"([])", "Unable to parse 'parameters': attempt to access JSON non-object as object"},
  };
  for (const BadBody& bad : kCases) {
    const auto request = Parse(fmt::format(R"({{"parameters":{},"inputs":[]}})", bad.json));
    EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument) << bad.json;
    EXPECT_THAT(request.status().message(), HasSubstr(bad.message)) << bad.json;
  }
}

TEST_F(V2JsonTest, Parse_TakesExtremeIntegers_Exactly) {
  const auto request = Parse(
      R"({"parameters":{"timeout":18446744073709551615,"sequence_id":"s","a":-9223372036854775808},"inputs":[]})");
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->timeout_us, UINT64_MAX);
  EXPECT_EQ(request->correlation_id_text, "s");
  EXPECT_EQ(std::get<std::int64_t>(request->parameters[0].value), INT64_MIN);
}

TEST_F(V2JsonTest, Parse_EnforcesCounts) {
  std::string parameters;
  std::string inputs;
  std::string outputs;
  for (int i = 0; i < 10'000; ++i) {
    parameters += fmt::format("{}\"p{}\":1", i == 0 ? "" : ",", i);
    inputs += fmt::format(R"({}{{"name":"i{}","shape":[0],"datatype":"INT8","data":[]}})",
                          i == 0 ? "" : ",", i);
    outputs += fmt::format(R"({}{{"name":"o{}"}})", i == 0 ? "" : ",", i);
  }
  EXPECT_THAT(Error(R"({"inputs":[],"parameters":{)" + parameters + "}}"),
              HasSubstr("more than 256 parameters"));
  EXPECT_THAT(Error(R"({"inputs":[],"a":{)" + parameters + "}}"), HasSubstr("Too many members"));
  limits.input_count_max = 2;
  limits.output_count_max = 1;
  EXPECT_THAT(Error(R"({"inputs":[)" + inputs + "]}"),
              HasSubstr("more than the 2 inputs that model 'm'"));
  EXPECT_THAT(Error(R"({"inputs":[],"outputs":[)" + outputs + "]}"),
              HasSubstr("more than the 1 outputs that model 'm'"));
  EXPECT_TRUE(
      Parse(
          R"({"inputs":[{"name":"a","shape":[0],"datatype":"INT8","data":[]}],"outputs":[{"name":"y"}]})")
          .ok());
}

TEST_F(V2JsonTest, Parse_FindsEqualKeys_AmongMany) {
  std::string members = R"({"inputs":[],"a":{"k0":0)";
  for (int i = 1; i < 1000; ++i) {
    members += fmt::format(",\"k{}\":0", i);
  }
  EXPECT_EQ(Error(members + "}}"), "");
  EXPECT_THAT(Error(members + R"(,"k500":1}})"), HasSubstr("Equal keys"));
}

TEST_F(V2JsonTest, Parse_LimitsTheId) {
  const std::string id(256, 'i');
  EXPECT_EQ(Parse(fmt::format(R"({{"id":"{}","inputs":[]}})", id))->id, id);
  EXPECT_THAT(Error(fmt::format(R"({{"id":"{}i","inputs":[]}})", id)),
              HasSubstr("257 bytes exceed the limit of 256"));
}

TEST_F(V2JsonTest, Parse_LimitsTheJson) {
  limits.json_byte_size_max = 64;
  EXPECT_TRUE(Parse(R"({"inputs":[]})" + std::string(51, ' ')).ok());
  const auto request = Parse(R"({"inputs":[]})" + std::string(52, ' '));
  EXPECT_EQ(request.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(request.status().message(),
              HasSubstr("exceeds the maximum allowed input size of 64 bytes."));
}

TEST_F(V2JsonTest, Parse_LimitsEachTensorMadeFromJson) {
  limits.json_byte_size_max = 100;
  const auto request = Parse(Request("FP64", "[13]", "[1,1,1,1,1,1,1,1,1,1,1,1,1]"));
  EXPECT_EQ(request.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(request.status().message(),
              HasSubstr("has a byte_size (104) that exceeds the maximum allowed value of 100"));
}

std::string BinaryRequest(std::string_view size) {
  return fmt::format(
      R"({{"inputs":[{{"name":"x","shape":[4],"datatype":"INT8","parameters":{{"binary_data_size":{}}}}}]}})",
      size);
}

TEST_F(V2JsonTest, Parse_ChecksBinarySizes) {
  for (const std::string_view size : {"-1", "1.5", "\"4\"", "18446744073709551616", "null"}) {
    EXPECT_THAT(Parse(BinaryRequest(size), "abcd").status().message(),
                HasSubstr("Unable to parse 'binary_data_size'"))
        << size;
  }
  EXPECT_TRUE(Parse(BinaryRequest("4"), "abcd").ok());
  EXPECT_THAT(
      Parse(BinaryRequest("5"), "abcd").status().message(),
      HasSubstr("unexpected size for input 'x', expecting 1 additional bytes for model 'm'"));
  EXPECT_THAT(Parse(BinaryRequest("9223372036854775808"), "abcd").status().message(),
              HasSubstr("unexpected size for input 'x', expecting 9223372036854775804 additional "
                        "bytes for model 'm'"));
  EXPECT_THAT(Parse(BinaryRequest("3"), "abcd").status().message(),
              HasSubstr("unexpected additional input data for model 'm'"));
}

TEST_F(V2JsonTest, Parse_RefusesSizes_WhoseSumWraps) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[1],"datatype":"INT8","parameters":{"binary_data_size":1}},)"
      R"({"name":"b","shape":[1],"datatype":"INT8","parameters":{"binary_data_size":18446744073709551615}}]})";
  EXPECT_THAT(Parse(json, "ab").status().message(), HasSubstr("unexpected size for input 'b'"));
}

TEST_F(V2JsonTest, Parse_NeedsTheHeader_ForBinaryInputs) {
  EXPECT_THAT(Error(BinaryRequest("4")),
              HasSubstr("must specify valid 'Infer-Header-Content-Length' in request header and "
                        "'binary_data_size'"));
}

TEST_F(V2JsonTest, Parse_ChecksTheHeader_AgainstTheBody) {
  const Buffer body = Place(R"({"inputs":[]})");
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{14}, std::uint64_t{99'999'999'999}, UINT64_MAX}) {
    EXPECT_THAT(parser.ParseInferRequest(body, length, "m", limits, pool).status().message(),
                HasSubstr(fmt::format("inference header size should be in range (0, 13), got: {}",
                                      length)));
  }
  EXPECT_TRUE(parser.ParseInferRequest(body, 13, "m", limits, pool).ok());
  EXPECT_FALSE(parser.ParseInferRequest(body, 12, "m", limits, pool).ok());
}

TEST_F(V2JsonTest, Parse_DoesNotReadTensorBytes_AsJson) {
  // The JSON is cut inside a number, which the raw bytes would continue.
  for (const std::string_view json :
       {R"({"a":12)", R"({"a":"b)", R"({"a":tr)", R"({"a":[1)", R"({)"}) {
    EXPECT_FALSE(Parse(json, R"(34","inputs":[]})").ok()) << json;
  }
}

TEST_F(V2JsonTest, Parse_WantsOneSourceOfData) {
  const std::string_view kMembers[] = {
      R"("data":[1],"parameters":{"binary_data_size":1})",
      R"("data":[1],"parameters":{"shared_memory_region":"r","shared_memory_byte_size":1})",
      R"("parameters":{"binary_data_size":1,"shared_memory_region":"r","shared_memory_byte_size":1})",
      R"("parameters":{})",
  };
  for (const std::string_view members : kMembers) {
    const auto request = Parse(
        fmt::format(R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"INT8",{}}}]}})", members),
        "a");
    EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(request.status().message(),
                HasSubstr("Input must set only one of the following fields: 'data', "
                          "'binary_data_size' in 'parameters', "
                          "'shared_memory_region' in 'parameters'. But"));
  }
}

TEST_F(V2JsonTest, Parse_SaysWhereInSharedMemoryTensorsLie) {
  const auto request = Parse(
      R"({"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[1]},)"
      R"({"name":"y","shape":[4],"datatype":"INT8","parameters":)"
      R"({"shared_memory_region":"r","shared_memory_byte_size":4,"shared_memory_offset":64}}],)"
      R"("outputs":[{"name":"z","parameters":{"shared_memory_region":"s","shared_memory_byte_size":9}}]})");
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  ASSERT_EQ(request->shared_inputs.size(), 1u);
  EXPECT_EQ(request->shared_inputs[0].index, 1u);
  EXPECT_EQ(request->shared_inputs[0].memory.region, "r");
  EXPECT_EQ(request->shared_inputs[0].memory.byte_size, 4u);
  EXPECT_EQ(request->shared_inputs[0].memory.offset, 64u);
  EXPECT_TRUE(request->inputs[1].tensor.data.empty());
  ASSERT_TRUE(request->outputs[0].shared_memory.has_value());
  EXPECT_EQ(request->outputs[0].shared_memory->region, "s");
}

TEST_F(V2JsonTest, Parse_RefusesSharedMemory_ThatIsIncompleteOrContradictsTheRest) {
  const auto input = [&](std::string_view members) {
    return Parse(fmt::format(
        R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"INT8","parameters":{{{}}}}}]}})",
        members));
  };
  const auto output = [&](std::string_view members) {
    return Parse(
        fmt::format(R"({{"inputs":[],"outputs":[{{"name":"y","parameters":{{{}}}}}]}})", members));
  };
  EXPECT_THAT(input(R"("shared_memory_region":"r")").status().message(),
              HasSubstr("inputs[0].parameters.shared_memory_byte_size"));
  EXPECT_THAT(output(R"("shared_memory_region":"r")").status().message(),
              HasSubstr("'shared_memory_byte_size' must be specified"));
  EXPECT_FALSE(input(R"("shared_memory_region":1,"shared_memory_byte_size":1)").ok());
  EXPECT_FALSE(input(R"("shared_memory_region":"r","shared_memory_byte_size":-1)").ok());
  EXPECT_FALSE(
      input(R"("shared_memory_region":"r","shared_memory_byte_size":1,"shared_memory_offset":1e3)")
          .ok());
  const std::string_view whole = R"("shared_memory_region":"r","shared_memory_byte_size":1)";
  EXPECT_THAT(output(fmt::format("{},\"classification\":2", whole)).status().message(),
              HasSubstr("classification"));
  EXPECT_THAT(output(fmt::format("{},\"binary_data\":true", whole)).status().message(),
              HasSubstr("binary_data"));
  EXPECT_TRUE(output(fmt::format("{},\"binary_data\":false", whole)).ok());
}

TEST_F(V2JsonTest, Parse_GivesTheSameResult_AfterAFailure) {
  EXPECT_FALSE(Parse("{").ok());
  EXPECT_TRUE(Parse(R"({"inputs":[]})").ok());
  EXPECT_FALSE(Parse(R"({"inputs":[],"a":[[[})").ok());
  EXPECT_TRUE(Parse(R"({"inputs":[]})").ok());
}

TEST(ParseInferenceHeaderLengthTest, TakesDigitsOnly) {
  EXPECT_EQ(ParseInferenceHeaderLength("0").value(), 0u);
  EXPECT_EQ(ParseInferenceHeaderLength("99999999999").value(), 99'999'999'999u);
  for (const std::string_view text :
       {"-1", "+5", " 5", "5 ", "5x", "", "0x5", "5,5", "18446744073709551616", "1e3"}) {
    const auto length = ParseInferenceHeaderLength(text);
    EXPECT_EQ(length.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(length.status().message(), HasSubstr("inference header size should be in range"))
        << text;
  }
}

}  // namespace
}  // namespace headrace::protocol

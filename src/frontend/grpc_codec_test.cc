// The codec of ModelInfer (protocol/v2_proto.h) against protobuf's own classes, which are here and
// not in its folder.
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "frontend/grpc_messages.h"
#include "protocol/v2_proto.h"

namespace headrace::frontend {
namespace {

using protocol::V2ProtoLimits;
using protocol::V2ProtoRequest;
using ::testing::HasSubstr;

// The bytes of `message` in slices of at most `step`.
std::vector<Buffer> Slices(std::string_view bytes, std::size_t step = SIZE_MAX) {
  std::vector<Buffer> slices;
  for (std::size_t at = 0; at < bytes.size();) {
    slices.push_back(Buffer::CopyOf(bytes.substr(at, step)));
    at += slices.back().size();
  }
  return slices;
}

std::string Joined(const std::vector<Buffer>& slices) {
  std::string bytes;
  for (const Buffer& slice : slices) {
    bytes.append(slice.view());
  }
  return bytes;
}

std::string Joined(const Tensor& tensor) {
  std::string bytes;
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    bytes.append(tensor.fragment(i).view());
  }
  return bytes;
}

class GrpcCodecTest : public ::testing::Test {
 protected:
  Result<V2ProtoRequest> Parse(const inference::ModelInferRequest& message,
                               std::size_t step = SIZE_MAX) {
    return protocol::ParseProtoInferRequest(Slices(message.SerializeAsString(), step), "m", limits_,
                                            pool_);
  }
  // "" if it was read.
  std::string Error(const inference::ModelInferRequest& message) {
    const Result<V2ProtoRequest> request = Parse(message);
    if (request.ok()) {
      return "";
    }
    EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument);
    return std::string(request.status().message());
  }

  static inference::ModelInferRequest::InferInputTensor& AddInput(
      inference::ModelInferRequest& message, const std::string& datatype,
      std::initializer_list<std::int64_t> shape) {
    auto& input = *message.add_inputs();
    input.set_name("in" + std::to_string(message.inputs_size() - 1));
    input.set_datatype(datatype);
    for (const std::int64_t dim : shape) {
      input.add_shape(dim);
    }
    return input;
  }

  BlockPool pool_;
  V2ProtoLimits limits_;
};

TEST_F(GrpcCodecTest, RawInputs_PointIntoTheMessage) {
  inference::ModelInferRequest message;
  AddInput(message, "FP32", {1, 4});
  AddInput(message, "UINT8", {3});
  message.add_raw_input_contents(std::string(16, 'a'));
  message.add_raw_input_contents("xyz");
  const std::vector<Buffer> whole = Slices(message.SerializeAsString());
  const auto request = protocol::ParseProtoInferRequest(whole, "m", limits_, pool_);
  ASSERT_TRUE(request.ok()) << request.status().message();
  const Tensor& first = request->message.inputs[0].tensor;
  EXPECT_EQ(first.data.view(), std::string(16, 'a'));
  EXPECT_GE(first.data.data(), whole[0].data());
  EXPECT_LE(first.data.data() + 16, whole[0].data() + whole[0].size());
  EXPECT_EQ(request->message.inputs[1].tensor.data.view(), "xyz");
}

TEST_F(GrpcCodecTest, FindProtoRawInput_TellsWhereTheFirstTensorBegins) {
  inference::ModelInferRequest message;
  message.set_model_name("m");
  AddInput(message, "UINT8", {300});
  message.add_raw_input_contents(std::string(300, 'a'));
  const std::string bytes = message.SerializeAsString();
  EXPECT_EQ(protocol::FindProtoRawInput(bytes), bytes.find('a'));
  EXPECT_EQ(protocol::FindProtoRawInput(bytes.substr(0, bytes.find('a'))), bytes.find('a'));
  EXPECT_EQ(protocol::FindProtoRawInput(bytes.substr(0, 10)), 0u);
  EXPECT_EQ(protocol::FindProtoRawInput(""), 0u);
}

TEST_F(GrpcCodecTest, TypedContents_BecomeTheTensorsBytes) {
  inference::ModelInferRequest message;
  AddInput(message, "BOOL", {2}).mutable_contents()->add_bool_contents(true);
  message.mutable_inputs(0)->mutable_contents()->add_bool_contents(false);
  for (const int value : {-128, 127}) {
    (message.inputs_size() < 2 ? AddInput(message, "INT8", {2}) : *message.mutable_inputs(1))
        .mutable_contents()
        ->add_int_contents(value);
  }
  AddInput(message, "INT16", {1}).mutable_contents()->add_int_contents(-2);
  AddInput(message, "INT32", {1}).mutable_contents()->add_int_contents(-3);
  AddInput(message, "INT64", {1}).mutable_contents()->add_int64_contents(-4);
  AddInput(message, "UINT8", {1}).mutable_contents()->add_uint_contents(255);
  AddInput(message, "UINT16", {1}).mutable_contents()->add_uint_contents(65535);
  AddInput(message, "UINT32", {1}).mutable_contents()->add_uint_contents(UINT32_MAX);
  AddInput(message, "UINT64", {1}).mutable_contents()->add_uint64_contents(UINT64_MAX);
  AddInput(message, "FP32", {1}).mutable_contents()->add_fp32_contents(1.5f);
  AddInput(message, "FP64", {1}).mutable_contents()->add_fp64_contents(-2.25);
  AddInput(message, "BYTES", {2}).mutable_contents()->add_bytes_contents("ab");
  message.mutable_inputs(11)->mutable_contents()->add_bytes_contents("");
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, SIZE_MAX}) {
    const auto request = Parse(message, step);
    ASSERT_TRUE(request.ok()) << request.status().message();
    const auto bytes = [&](std::size_t i) { return Joined(request->message.inputs[i].tensor); };
    const auto raw = [](auto value) {
      return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
    };
    EXPECT_EQ(bytes(0), std::string("\x01\x00", 2));
    EXPECT_EQ(bytes(1), "\x80\x7f");
    EXPECT_EQ(bytes(2), raw(std::int16_t{-2}));
    EXPECT_EQ(bytes(3), raw(std::int32_t{-3}));
    EXPECT_EQ(bytes(4), raw(std::int64_t{-4}));
    EXPECT_EQ(bytes(5), "\xff");
    EXPECT_EQ(bytes(6), "\xff\xff");
    EXPECT_EQ(bytes(7), raw(UINT32_MAX));
    EXPECT_EQ(bytes(8), raw(UINT64_MAX));
    EXPECT_EQ(bytes(9), raw(1.5f));
    EXPECT_EQ(bytes(10), raw(-2.25));
    EXPECT_EQ(bytes(11), std::string("\x02\0\0\0ab\0\0\0\0", 10));
  }
}

TEST_F(GrpcCodecTest, UnpackedLists_AreReadLikePackedOnes) {
  // inputs { name "x" datatype "INT32" shape 2 (unpacked) contents { int_contents: 1, 2 (unpacked)
  // } }
  const std::string contents("\x10\x01\x10\x02", 4);
  const std::string input = std::string("\x0a\x01x\x12\x05INT32\x18\x02\x2a\x04", 14) + contents;
  const std::string bytes = std::string("\x2a", 1) + static_cast<char>(input.size()) + input;
  inference::ModelInferRequest judge;
  ASSERT_TRUE(judge.ParseFromString(bytes));
  ASSERT_EQ(judge.inputs(0).contents().int_contents_size(), 2);
  const auto request = protocol::ParseProtoInferRequest(Slices(bytes, 2), "m", limits_, pool_);
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(Joined(request->message.inputs[0].tensor), std::string("\1\0\0\0\2\0\0\0", 8));
}

TEST_F(GrpcCodecTest, DataThatDoesNotBelong_IsRefusedByName) {
  inference::ModelInferRequest none;
  AddInput(none, "FP32", {1});
  EXPECT_EQ(Error(none), "unable to find data for input tensor 'in0' for model 'm' in request.");

  inference::ModelInferRequest both = none;
  both.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  both.add_raw_input_contents("abcd");
  EXPECT_EQ(Error(both),
            "contents field must not be specified when using raw_input_contents for 'in0' for "
            "model 'm'");

  inference::ModelInferRequest more = none;
  more.add_raw_input_contents("abcd");
  more.add_raw_input_contents("abcd");
  EXPECT_THAT(Error(more), HasSubstr("unexpected additional input data for model 'm'"));

  inference::ModelInferRequest other = none;
  other.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  EXPECT_THAT(Error(other), HasSubstr("unexpected explicit tensor data for input tensor 'in0' "
                                      "for model 'm': datatype FP32 takes fp32_contents "
                                      "(inputs[0].contents.int_contents)"));

  inference::ModelInferRequest half = none;
  half.mutable_inputs(0)->set_datatype("FP16");
  half.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(Error(half), HasSubstr("FP16 data is accepted in raw_input_contents only"));

  inference::ModelInferRequest count = none;
  count.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  count.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(Error(count), HasSubstr("unexpected number of elements 2 for inference input 'in0', "
                                      "expecting 1"));

  inference::ModelInferRequest range;
  AddInput(range, "UINT8", {2}).mutable_contents()->add_uint_contents(1);
  range.mutable_inputs(0)->mutable_contents()->add_uint_contents(256);
  EXPECT_EQ(Error(range), "inputs[0].contents.uint_contents[1]: 256 is out of range for UINT8");
}

TEST_F(GrpcCodecTest, ShapesNamesAndTypes_AreCheckedInTheirPlaces) {
  const auto shaped = [](std::initializer_list<std::int64_t> shape) {
    inference::ModelInferRequest message;
    AddInput(message, "FP32", shape);
    message.add_raw_input_contents("abcd");
    return message;
  };
  EXPECT_THAT(Error(shaped({1, -1})), HasSubstr("inputs[0].shape[1]: -1 is not a dimension"));
  EXPECT_THAT(Error(shaped({(std::int64_t{1} << 40) + 1})), HasSubstr("is not a dimension"));
  const std::int64_t large = std::int64_t{1} << 31;
  EXPECT_THAT(Error(shaped({large, large, large})), HasSubstr("would overflow"));
  EXPECT_THAT(Error(shaped({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})),
              HasSubstr("more than 16 dimensions"));
  inference::ModelInferRequest nameless = shaped({1});
  nameless.mutable_inputs(0)->clear_name();
  EXPECT_THAT(Error(nameless), HasSubstr("inputs[0].name: an input needs a name"));
  inference::ModelInferRequest untyped = shaped({1});
  untyped.mutable_inputs(0)->set_datatype("FP31");
  EXPECT_THAT(Error(untyped), HasSubstr("invalid datatype for input in0: 'FP31'"));
  inference::ModelInferRequest output = shaped({1});
  output.add_outputs();
  EXPECT_THAT(Error(output), HasSubstr("outputs[0].name"));
}

TEST_F(GrpcCodecTest, Parameters_AreReadByTheRules) {
  inference::ModelInferRequest message;
  auto& parameters = *message.mutable_parameters();
  parameters["sequence_id"].set_int64_param(-1);
  parameters["sequence_start"].set_bool_param(true);
  parameters["sequence_end"].set_bool_param(true);
  parameters["priority"].set_uint64_param(7);
  parameters["timeout"].set_int64_param(9);
  parameters["triton_enable_empty_final_response"].set_bool_param(true);
  parameters["free"].set_double_param(0.5);
  auto request = Parse(message);
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->message.correlation_id, UINT64_MAX);
  EXPECT_EQ(request->message.sequence_flags, 3u);
  EXPECT_EQ(request->message.priority, 7u);
  EXPECT_EQ(request->message.timeout_us, 9u);
  EXPECT_TRUE(request->wants_empty_final_response);
  ASSERT_EQ(request->message.parameters.size(), 1u);
  EXPECT_EQ(std::get<double>(request->message.parameters[0].value), 0.5);

  parameters["sequence_id"].set_string_param("s");
  request = Parse(message);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->message.correlation_id_text, "s");
}

TEST_F(GrpcCodecTest, Parameters_OfTheWrongTypeOrName_AreRefused) {
  const auto error = [this](const std::string& name, auto set) {
    inference::ModelInferRequest message;
    set((*message.mutable_parameters())[name]);
    return Error(message);
  };
  EXPECT_EQ(error("sequence_id", [](auto& p) { p.set_bool_param(true); }),
            "invalid value type for 'sequence_id' parameter, expected int64_param or "
            "string_param.");
  EXPECT_THAT(error("priority", [](auto& p) { p.set_int64_param(-1); }), HasSubstr("negative"));
  EXPECT_THAT(error("timeout", [](auto& p) { p.set_uint64_param(1); }),
              HasSubstr("expected int64_param."));
  EXPECT_EQ(error("k", [](auto& p) { p.set_uint64_param(1); }),
            "invalid value type for 'k' parameter, expected int64_param, bool_param, or "
            "string_param.");
  EXPECT_THAT(error("k", [](auto&) {}), HasSubstr("invalid value type for 'k'"));
  EXPECT_THAT(error("triton_x", [](auto& p) { p.set_bool_param(true); }),
              HasSubstr("triton_enable_empty_final_response"));
  EXPECT_THAT(error("headers", [](auto& p) { p.set_bool_param(true); }), HasSubstr("reserved"));
}

TEST_F(GrpcCodecTest, SharedMemoryAndClassification) {
  inference::ModelInferRequest message;
  auto& in = *AddInput(message, "FP32", {2}).mutable_parameters();
  in["shared_memory_region"].set_string_param("r");
  in["shared_memory_byte_size"].set_int64_param(8);
  in["shared_memory_offset"].set_int64_param(4);
  message.add_outputs()->set_name("o");
  (*message.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(3);
  const auto request = Parse(message);
  ASSERT_TRUE(request.ok()) << request.status().message();
  ASSERT_EQ(request->message.shared_inputs.size(), 1u);
  EXPECT_EQ(request->message.shared_inputs[0].memory.region, "r");
  EXPECT_EQ(request->message.shared_inputs[0].memory.offset, 4u);
  EXPECT_EQ(request->message.outputs[0].classification_count, 3u);

  in.erase("shared_memory_byte_size");
  EXPECT_THAT(Error(message), HasSubstr("'shared_memory_byte_size' must be specified"));
  in["shared_memory_byte_size"].set_int64_param(-8);
  EXPECT_THAT(Error(message), HasSubstr("not negative"));
  in["shared_memory_byte_size"].set_int64_param(8);
  auto& out = *message.mutable_outputs(0)->mutable_parameters();
  out["classification"].set_int64_param(0);
  EXPECT_THAT(Error(message), HasSubstr("classification"));
  out["classification"].set_int64_param(1);
  out["shared_memory_region"].set_string_param("r");
  out["shared_memory_byte_size"].set_int64_param(8);
  EXPECT_THAT(Error(message), HasSubstr("shared memory can't be used for classification"));
}

// With `column_count` columns of two FP32.
void ExpectWhatProtobufWouldWrite(std::int64_t column_count, bool in_place) {
  const std::string data(static_cast<std::size_t>(column_count) * 8, 'd');
  const auto tensor = [](DataType dtype, Shape shape, std::string_view bytes) {
    Tensor made;
    made.dtype = dtype;
    made.shape = shape;
    made.data = Buffer::CopyOf(bytes);
    return made;
  };
  const Tensor whole = tensor(DataType::kFp32, {2, column_count}, data);
  Tensor pieces = tensor(DataType::kUint8, {6}, "abc");
  pieces.more_fragments = {Buffer(), Buffer::CopyOf("def")};
  const Tensor scalar = tensor(DataType::kBool, Shape(), "\x01");
  const std::vector<Parameter> parameters = {
      {"s", std::string("text")}, {"i", std::int64_t{-5}}, {"b", false}, {"d", 0.25}};
  protocol::V2InferResponse response;
  response.model_name = "model";
  response.model_version = 12;
  response.id = "id";
  response.parameters = &parameters;
  response.outputs = {{.name = "whole", .tensor = &whole},
                      {.name = "elsewhere", .tensor = &whole, .elsewhere = true},
                      {.name = "pieces", .tensor = &pieces},
                      {.name = "scalar", .tensor = &scalar}};
  const auto encoded = protocol::EncodeProtoInferResponse(response);
  ASSERT_TRUE(encoded.ok());
  inference::ModelInferResponse judge;
  ASSERT_TRUE(judge.ParseFromString(Joined(*encoded)));
  EXPECT_EQ(judge.model_name(), "model");
  EXPECT_EQ(judge.model_version(), "12");
  EXPECT_EQ(judge.id(), "id");
  EXPECT_EQ(judge.parameters().at("s").string_param(), "text");
  EXPECT_EQ(judge.parameters().at("i").int64_param(), -5);
  EXPECT_TRUE(judge.parameters().at("b").has_bool_param());
  EXPECT_EQ(judge.parameters().at("d").double_param(), 0.25);
  ASSERT_EQ(judge.outputs_size(), 4);
  EXPECT_EQ(judge.outputs(0).datatype(), "FP32");
  EXPECT_EQ(judge.outputs(0).shape(1), column_count);
  EXPECT_EQ(judge.outputs(3).shape_size(), 0);
  ASSERT_EQ(judge.raw_output_contents_size(), 4);
  EXPECT_EQ(judge.raw_output_contents(0), data);
  EXPECT_EQ(judge.raw_output_contents(1), "");
  EXPECT_EQ(judge.raw_output_contents(2), "abcdef");
  EXPECT_EQ(judge.raw_output_contents(3), "\x01");
  // Nothing unknown, and no large tensor was copied.
  EXPECT_EQ(judge.ByteSizeLong(), Joined(*encoded).size());
  EXPECT_EQ(std::any_of(encoded->begin(), encoded->end(),
                        [&](const Buffer& buffer) { return buffer.data() == whole.data.data(); }),
            in_place);

  const auto streamed = protocol::EncodeProtoStreamResponse(response);
  ASSERT_TRUE(streamed.ok());
  inference::ModelStreamInferResponse outer;
  ASSERT_TRUE(outer.ParseFromString(Joined(*streamed)));
  EXPECT_EQ(outer.error_message(), "");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(outer.infer_response(), judge));

  ASSERT_TRUE(outer.ParseFromString(Joined(protocol::EncodeProtoStreamError("bad", response))));
  EXPECT_EQ(outer.error_message(), "bad");
  EXPECT_EQ(outer.infer_response().id(), "id");
  EXPECT_EQ(outer.infer_response().outputs_size(), 0);

  EXPECT_EQ(protocol::EncodeProtoInferResponse(response, 100).status().code(),
            StatusCode::kResourceExhausted);
}

TEST_F(GrpcCodecTest, Response_IsWhatProtobufWouldWrite) {
  ExpectWhatProtobufWouldWrite(5, /*in_place=*/false);
  ExpectWhatProtobufWouldWrite(5000, /*in_place=*/true);
}

// Random messages, and random damage to them.
class GrpcCodecPropertyTest : public GrpcCodecTest {
 protected:
  std::size_t Pick(std::size_t count) { return random_() % count; }

  std::string Text() {
    static const char* const texts[] = {"", "a", "input_0", "\u00e9\u4e16",
                                        "a longer text than the others"};
    return texts[Pick(std::size(texts))];
  }

  void SetParameter(inference::InferParameter& parameter) {
    switch (Pick(4)) {
      case 0:
        parameter.set_bool_param(Pick(2) == 0);
        break;
      case 1:
        parameter.set_int64_param(static_cast<std::int64_t>(random_() << 32 | random_()));
        break;
      case 2:
        parameter.set_string_param(Text());
        break;
      default:
        parameter.set_double_param(static_cast<double>(random_()) / 7);
    }
  }

  inference::ModelInferRequest Message() {
    inference::ModelInferRequest message;
    message.set_model_name(Text());
    message.set_model_version(std::to_string(Pick(300)));
    message.set_id(Text());
    for (std::size_t i = Pick(4); i > 0; --i) {
      SetParameter((*message.mutable_parameters())["p" + std::to_string(i)]);
    }
    const bool raw = Pick(2) == 0;
    for (std::size_t i = Pick(4); i > 0; --i) {
      const auto count = static_cast<std::int64_t>(Pick(200));
      auto& input = AddInput(message, raw ? "FP32" : "INT64", {1, count});
      for (std::size_t j = Pick(3); j > 0; --j) {
        SetParameter((*input.mutable_parameters())["q" + std::to_string(j)]);
      }
      if (raw) {
        message.add_raw_input_contents(std::string(static_cast<std::size_t>(count) * 4, 'r'));
      } else {
        input.mutable_contents();
        for (std::int64_t j = 0; j < count; ++j) {
          input.mutable_contents()->add_int64_contents(static_cast<std::int64_t>(random_()) >>
                                                       Pick(32));
        }
      }
    }
    for (std::size_t i = Pick(3); i > 0; --i) {
      message.add_outputs()->set_name("out" + std::to_string(i));
    }
    return message;
  }

  static void ExpectEqual(const V2ProtoRequest& request,
                          const inference::ModelInferRequest& judge) {
    EXPECT_EQ(request.message.id, judge.id());
    ASSERT_EQ(request.message.inputs.size(), static_cast<std::size_t>(judge.inputs_size()));
    for (int i = 0; i < judge.inputs_size(); ++i) {
      const NamedTensor& input = request.message.inputs[static_cast<std::size_t>(i)];
      EXPECT_EQ(input.name, judge.inputs(i).name());
      EXPECT_EQ(DataTypeName(input.tensor.dtype), judge.inputs(i).datatype());
      EXPECT_TRUE(std::equal(input.tensor.shape.begin(), input.tensor.shape.end(),
                             judge.inputs(i).shape().begin(), judge.inputs(i).shape().end()));
      if (judge.raw_input_contents_size() > 0) {
        EXPECT_EQ(Joined(input.tensor), judge.raw_input_contents(i));
      } else {
        const auto& list = judge.inputs(i).contents().int64_contents();
        const std::string bytes = Joined(input.tensor);
        ASSERT_EQ(bytes.size(), static_cast<std::size_t>(list.size()) * 8);
        EXPECT_TRUE(bytes.empty() || std::memcmp(bytes.data(), list.data(), bytes.size()) == 0);
      }
    }
    ASSERT_EQ(request.message.outputs.size(), static_cast<std::size_t>(judge.outputs_size()));
    EXPECT_EQ(request.message.parameters.size(), static_cast<std::size_t>(judge.parameters_size()));
    for (const Parameter& parameter : request.message.parameters) {
      const inference::InferParameter& same = judge.parameters().at(parameter.name);
      if (same.has_string_param()) {
        EXPECT_EQ(std::get<std::string>(parameter.value), same.string_param());
      } else if (same.has_int64_param()) {
        EXPECT_EQ(std::get<std::int64_t>(parameter.value), same.int64_param());
      } else if (same.has_bool_param()) {
        EXPECT_EQ(std::get<bool>(parameter.value), same.bool_param());
      } else {
        EXPECT_EQ(std::get<double>(parameter.value), same.double_param());
      }
    }
  }

  std::mt19937_64 random_{20261129};
};

TEST_F(GrpcCodecPropertyTest, ReadsWhatProtobufWrote_InAnySlices) {
  for (int round = 0; round < 2000; ++round) {
    const inference::ModelInferRequest message = Message();
    const auto request = Parse(message, 1 + Pick(round % 3 == 0 ? 4 : 500));
    ASSERT_TRUE(request.ok()) << request.status().message() << message.ShortDebugString();
    ExpectEqual(*request, message);
    const auto target =
        protocol::ReadProtoTarget(Slices(message.SerializeAsString(), 1 + Pick(50)), limits_);
    ASSERT_TRUE(target.ok());
    EXPECT_EQ(target->model_name, message.model_name());
    EXPECT_EQ(target->model_version, message.model_version());
    EXPECT_EQ(target->id, message.id());
  }
}

TEST_F(GrpcCodecPropertyTest, DamagedMessages_AreNeverTakenWhereProtobufRefusesThem) {
  const google::protobuf::LogSilencer silencer;
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = Message().SerializeAsString();
    if (bytes.empty()) {
      continue;
    }
    if (Pick(3) == 0) {
      bytes.resize(Pick(bytes.size()));
    }
    for (std::size_t i = Pick(4); i > 0 && !bytes.empty(); --i) {
      bytes[Pick(bytes.size())] = static_cast<char>(random_());
    }
    if (Pick(8) == 0) {
      bytes.insert(Pick(bytes.size() + 1), Message().SerializeAsString());
    }
    const std::vector<Buffer> slices = Slices(bytes, 1 + Pick(100));
    const auto target = protocol::ReadProtoTarget(slices, limits_);
    const auto request = protocol::ParseProtoInferRequest(slices, "m", limits_, pool_);
    inference::ModelInferRequest judge;
    const bool judged = judge.ParseFromString(bytes);
    if (request.ok()) {
      EXPECT_TRUE(judged || !target.ok());
    } else {
      ++refused;
      EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument);
      EXPECT_FALSE(request.status().message().empty());
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace headrace::frontend

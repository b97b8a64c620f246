#include "torchserve/open_inference_json.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "protocol/base64.h"
#include "protocol/json_cursor.h"
#include "protocol/json_writer.h"
#include "tensor/bytes_codec.h"
#include "tensor/dtype.h"

namespace headrace::torchserve {
namespace {

using open_inference::InferTensorContents;
using open_inference::ModelInferRequest;
using open_inference::ModelInferResponse;
using protocol::JsonCursor;
using protocol::JsonType;
using protocol::JsonWriter;

constexpr std::size_t kDepthMax = 32;
constexpr int kOutputCountMax = 1024;
constexpr int kDimensionCountMax = 16;

template <typename T>
void WriteNumber(T value, JsonWriter& json) {
  if constexpr (std::is_same_v<T, bool>) {
    json.Bool(value);
  } else if constexpr (std::is_same_v<T, float>) {
    json.Float(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    json.Double(value);
  } else if constexpr (std::is_signed_v<T>) {
    json.Int(value);
  } else {
    json.Uint(value);
  }
}

template <typename List>
void WriteNumbers(const List& values, JsonWriter& json) {
  for (const auto value : values) {
    WriteNumber(value, json);
  }
}

void WriteContents(const InferTensorContents& contents, JsonWriter& json) {
  WriteNumbers(contents.bool_contents(), json);
  WriteNumbers(contents.int_contents(), json);
  WriteNumbers(contents.int64_contents(), json);
  WriteNumbers(contents.uint_contents(), json);
  WriteNumbers(contents.uint64_contents(), json);
  WriteNumbers(contents.fp32_contents(), json);
  WriteNumbers(contents.fp64_contents(), json);
  for (const std::string& bytes : contents.bytes_contents()) {
    json.String(protocol::EncodeBase64(bytes));
  }
}

template <typename T>
void WriteRawNumbers(std::string_view raw, JsonWriter& json) {
  for (std::size_t i = 0; i + sizeof(T) <= raw.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, raw.data() + i, sizeof(T));
    WriteNumber(value, json);
  }
}

// Little-endian elements, as the protocol packs them.
Status WriteRaw(const ModelInferRequest::InferInputTensor& input, std::string_view raw,
                JsonWriter& json) {
  const DataType dtype = DataTypeFromName(input.datatype());
  const std::size_t byte_size = DataTypeByteSize(dtype);
  if (byte_size > 0 && raw.size() % byte_size != 0) {
    return InvalidArgument("input '{}': {} bytes are no whole number of {} elements", input.name(),
                           raw.size(), input.datatype());
  }
  switch (dtype) {
    case DataType::kBool:
      for (const char value : raw) {
        json.Bool(value != 0);
      }
      return OkStatus();
    case DataType::kUint8:
      return WriteRawNumbers<std::uint8_t>(raw, json), OkStatus();
    case DataType::kUint16:
      return WriteRawNumbers<std::uint16_t>(raw, json), OkStatus();
    case DataType::kUint32:
      return WriteRawNumbers<std::uint32_t>(raw, json), OkStatus();
    case DataType::kUint64:
      return WriteRawNumbers<std::uint64_t>(raw, json), OkStatus();
    case DataType::kInt8:
      return WriteRawNumbers<std::int8_t>(raw, json), OkStatus();
    case DataType::kInt16:
      return WriteRawNumbers<std::int16_t>(raw, json), OkStatus();
    case DataType::kInt32:
      return WriteRawNumbers<std::int32_t>(raw, json), OkStatus();
    case DataType::kInt64:
      return WriteRawNumbers<std::int64_t>(raw, json), OkStatus();
    case DataType::kFp32:
      return WriteRawNumbers<float>(raw, json), OkStatus();
    case DataType::kFp64:
      return WriteRawNumbers<double>(raw, json), OkStatus();
    case DataType::kBytes: {
      auto elements = SplitBytesElements(raw);
      if (!elements.ok()) {
        return InvalidArgument("input '{}': {}", input.name(), elements.status().message());
      }
      for (const std::string_view element : *elements) {
        json.String(protocol::EncodeBase64(element));
      }
      return OkStatus();
    }
    default:
      return InvalidArgument("input '{}': there are no raw contents of datatype '{}' here",
                             input.name(), input.datatype());
  }
}

// Reads the answer. The cursor's own errors are sticky, and looked at once at the end.
class ResponseReader {
 public:
  ResponseReader(JsonCursor& cursor, ModelInferResponse& response)
      : cursor_(cursor), response_(response) {}

  Status Read() {
    for (std::string_view key; cursor_.NextField(key);) {
      if (key == "id") {
        ReadText(*response_.mutable_id());
      } else if (key == "model_name") {
        ReadText(*response_.mutable_model_name());
      } else if (key == "model_version") {
        ReadText(*response_.mutable_model_version());
      } else if (key == "outputs") {
        HEADRACE_RETURN_IF_ERROR(ReadOutputs());
      } else {
        cursor_.Skip();
      }
    }
    return OkStatus();
  }

 private:
  using Output = ModelInferResponse::InferOutputTensor;

  void ReadText(std::string& text) {
    std::string_view value;
    if (cursor_.Type() == JsonType::kNull) {
      cursor_.Skip();
    } else if (cursor_.ReadString(value)) {
      text = value;
    }
  }

  Status ReadOutputs() {
    cursor_.EnterArray();
    while (cursor_.NextElement()) {
      if (response_.outputs_size() >= kOutputCountMax) {
        return Internal("the handler's answer has more than {} outputs", kOutputCountMax);
      }
      HEADRACE_RETURN_IF_ERROR(ReadOutput(*response_.add_outputs()));
    }
    return OkStatus();
  }

  Status ReadOutput(Output& output) {
    cursor_.EnterObject();
    for (std::string_view key; cursor_.NextField(key);) {
      if (key == "name") {
        ReadText(*output.mutable_name());
      } else if (key == "datatype") {
        ReadText(*output.mutable_datatype());
      } else if (key == "shape") {
        HEADRACE_RETURN_IF_ERROR(ReadShape(output));
      } else if (key == "data") {
        if (output.datatype().empty()) {
          return Internal("output '{}' of the handler's answer has its data before its datatype",
                          output.name());
        }
        HEADRACE_RETURN_IF_ERROR(ReadData(output));
      } else {
        cursor_.Skip();
      }
    }
    return OkStatus();
  }

  Status ReadShape(Output& output) {
    cursor_.EnterArray();
    while (cursor_.NextElement()) {
      std::int64_t dimension = 0;
      cursor_.ReadInt(dimension);
      if (output.shape_size() >= kDimensionCountMax) {
        return Internal("output '{}' of the handler's answer has more than {} dimensions",
                        output.name(), kDimensionCountMax);
      }
      output.add_shape(dimension);
    }
    return OkStatus();
  }

  template <typename T, typename Add>
  void ReadIntegers(Add add) {
    while (cursor_.NextElement()) {
      std::int64_t value = 0;
      std::uint64_t large = 0;
      if constexpr (std::is_same_v<T, std::uint64_t>) {
        cursor_.ReadUint(large);
        add(large);
      } else {
        cursor_.ReadInt(value);
        add(static_cast<T>(value));
      }
    }
  }

  template <typename Add>
  void ReadDoubles(Add add) {
    while (cursor_.NextElement()) {
      double value = 0;
      cursor_.ReadDouble(value);
      add(value);
    }
  }

  Status ReadData(Output& output) {
    InferTensorContents& contents = *output.mutable_contents();
    cursor_.EnterArray();
    switch (DataTypeFromName(output.datatype())) {
      case DataType::kBool:
        while (cursor_.NextElement()) {
          bool value = false;
          cursor_.ReadBool(value);
          contents.add_bool_contents(value);
        }
        return OkStatus();
      case DataType::kInt8:
      case DataType::kInt16:
      case DataType::kInt32:
        ReadIntegers<std::int32_t>([&](std::int32_t value) { contents.add_int_contents(value); });
        return OkStatus();
      case DataType::kInt64:
        ReadIntegers<std::int64_t>([&](std::int64_t value) { contents.add_int64_contents(value); });
        return OkStatus();
      case DataType::kUint8:
      case DataType::kUint16:
      case DataType::kUint32:
        ReadIntegers<std::uint32_t>(
            [&](std::uint32_t value) { contents.add_uint_contents(value); });
        return OkStatus();
      case DataType::kUint64:
        ReadIntegers<std::uint64_t>(
            [&](std::uint64_t value) { contents.add_uint64_contents(value); });
        return OkStatus();
      case DataType::kFp16:
      case DataType::kBf16:
      case DataType::kFp32:
        ReadDoubles([&](double value) { contents.add_fp32_contents(static_cast<float>(value)); });
        return OkStatus();
      case DataType::kFp64:
        ReadDoubles([&](double value) { contents.add_fp64_contents(value); });
        return OkStatus();
      case DataType::kBytes:
        while (cursor_.NextElement()) {
          std::string_view value;
          cursor_.ReadString(value);
          contents.add_bytes_contents(std::string(value));
        }
        return OkStatus();
      default:
        return Internal("output '{}' of the handler's answer has the datatype '{}', which is none",
                        output.name(), output.datatype());
    }
  }

  JsonCursor& cursor_;
  ModelInferResponse& response_;
};

}  // namespace

Result<std::string> OpenInferenceJson(const ModelInferRequest& request) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  if (!request.id().empty()) {
    json.Key("id").String(request.id());
  }
  json.Key("model_name").String(request.model_name());
  json.Key("inputs").BeginArray();
  int raw = 0;
  for (const ModelInferRequest::InferInputTensor& input : request.inputs()) {
    json.BeginObject().Key("name").String(input.name());
    json.Key("shape").BeginArray();
    WriteNumbers(input.shape(), json);
    json.EndArray().Key("datatype").String(input.datatype());
    json.Key("data").BeginArray();
    if (input.has_contents()) {
      WriteContents(input.contents(), json);
    } else if (raw < request.raw_input_contents_size()) {
      HEADRACE_RETURN_IF_ERROR(WriteRaw(input, request.raw_input_contents(raw++), json));
    }
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

Result<ModelInferResponse> ParseOpenInferenceJson(std::string_view json) {
  std::string text(json);
  text.append(JsonCursor::kPadding, '\0');
  JsonCursor cursor;
  ModelInferResponse response;
  cursor.Open(std::string_view(text).substr(0, json.size()), kDepthMax);
  HEADRACE_RETURN_IF_ERROR(ResponseReader(cursor, response).Read());
  cursor.Close();
  if (!cursor.ok()) {
    return Internal(
        "the handler's answer is not what the envelope kservev2 makes (service_envelope=kservev2): "
        "{}",
        cursor.status().message());
  }
  return response;
}

}  // namespace headrace::torchserve

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>
#include <variant>

#include "base/checked_math.h"
#include "protocol/json_writer.h"
#include "protocol/v2_json.h"
#include "protocol/v2_response_json.h"

namespace headrace::protocol {
namespace {

// Writes numbers through a small buffer, which is handed to the string when full.
class NumberChunk {
 public:
  explicit NumberChunk(std::string& out) : out_(out) {}
  // Room for one number and its comma.
  char* Next() {
    if (next_ + kNumberByteSizeMax + 1 > bytes_ + sizeof(bytes_)) {
      Flush();
    }
    return next_;
  }
  void Wrote(char* end) { next_ = end; }
  void Flush() {
    out_.append(bytes_, next_);
    next_ = bytes_;
  }

 private:
  std::string& out_;
  char bytes_[2048];
  char* next_ = bytes_;
};

Status NotFinite(std::string_view output, std::size_t index) {
  return InvalidArgument(
      "output '{}': element {} is not finite and has no JSON form; ask for binary data", output,
      index);
}

char* WriteElement(char* out, bool value) {
  const std::string_view text = value ? "true" : "false";
  return out + text.copy(out, text.size());
}

template <std::integral T>
char* WriteElement(char* out, T value) {
  return std::to_chars(out, out + kNumberByteSizeMax, value).ptr;
}

template <std::floating_point T>
char* WriteElement(char* out, T value) {
  return WriteNumber(out, value);
}

template <typename T>
Status WriteElements(std::string_view name, std::string_view bytes, std::string& out) {
  NumberChunk chunk(out);
  const std::size_t count = bytes.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    T value;
    if constexpr (std::is_same_v<T, bool>) {
      value = bytes[i] != 0;
    } else {
      std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    }
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) [[unlikely]] {
        return NotFinite(name, i);
      }
    }
    char* end = chunk.Next();
    if (i != 0) {
      *end++ = ',';
    }
    chunk.Wrote(WriteElement(end, value));
  }
  chunk.Flush();
  return OkStatus();
}

Status WriteStrings(std::string_view name, std::string_view bytes, std::size_t count,
                    std::string& out) {
  JsonWriter json(out);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    if (bytes.size() < sizeof(length)) {
      return Internal("output '{}': BYTES data ends before element {} of {}", name, i, count);
    }
    std::memcpy(&length, bytes.data(), sizeof(length));
    bytes.remove_prefix(sizeof(length));
    if (bytes.size() < length) {
      return Internal("output '{}': BYTES element {} is cut short", name, i);
    }
    json.String(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  return bytes.empty()
             ? OkStatus()
             : Internal("output '{}': {} bytes behind the last BYTES element", name, bytes.size());
}

Status WriteFixedSize(const V2OutputTensor& output, std::string_view bytes, std::string& out) {
  const std::string_view name = output.name;
  switch (output.tensor->dtype) {
    case DataType::kBool:
      return WriteElements<bool>(name, bytes, out);
    case DataType::kUint8:
      return WriteElements<std::uint8_t>(name, bytes, out);
    case DataType::kUint16:
      return WriteElements<std::uint16_t>(name, bytes, out);
    case DataType::kUint32:
      return WriteElements<std::uint32_t>(name, bytes, out);
    case DataType::kUint64:
      return WriteElements<std::uint64_t>(name, bytes, out);
    case DataType::kInt8:
      return WriteElements<std::int8_t>(name, bytes, out);
    case DataType::kInt16:
      return WriteElements<std::int16_t>(name, bytes, out);
    case DataType::kInt32:
      return WriteElements<std::int32_t>(name, bytes, out);
    case DataType::kInt64:
      return WriteElements<std::int64_t>(name, bytes, out);
    case DataType::kFp32:
      return WriteElements<float>(name, bytes, out);
    case DataType::kFp64:
      return WriteElements<double>(name, bytes, out);
    case DataType::kFp16:
    case DataType::kBf16:
      return InvalidArgument(
          "sending {} data via JSON is not supported. Please use the binary data format for output "
          "{}",
          DataTypeName(output.tensor->dtype), name);
    default:
      return Internal("output '{}' has no datatype", name);
  }
}

// The tensor's bytes in one piece; `storage` holds them if they were in several.
std::string_view Contiguous(const Tensor& tensor, std::string& storage) {
  if (tensor.more_fragments.empty()) {
    return tensor.data.view();
  }
  storage.reserve(tensor.byte_size());
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    storage.append(tensor.fragment(i).view());
  }
  return storage;
}

Status WriteOutput(const V2OutputTensor& output, JsonWriter& json, std::string& out) {
  const Tensor& tensor = *output.tensor;
  json.BeginObject().Key("name").String(output.name);
  json.Key("datatype").String(DataTypeName(tensor.dtype)).Key("shape").BeginArray();
  for (const std::int64_t dim : tensor.shape) {
    json.Int(dim);
  }
  json.EndArray();
  if (output.elsewhere) {
    json.EndObject();
    return OkStatus();
  }
  if (output.binary) {
    json.Key("parameters")
        .BeginObject()
        .Key("binary_data_size")
        .Uint(tensor.byte_size())
        .EndObject();
  } else {
    json.Key("data");
    HEADRACE_RETURN_IF_ERROR(WriteTensorData(output, out));
  }
  json.EndObject();
  return OkStatus();
}

// A guess that saves most of the string's growing.
std::size_t ExpectedByteSize(const V2InferResponse& response) {
  std::size_t byte_size = 128 + response.id.size() + response.model_name.size();
  for (const V2OutputTensor& output : response.outputs) {
    byte_size += 128 + output.name.size() +
                 (output.binary || output.elsewhere ? 0 : output.tensor->byte_size() * 3);
  }
  return byte_size;
}

}  // namespace

Status WriteTensorData(const V2OutputTensor& output, std::string& out) {
  const Tensor& tensor = *output.tensor;
  const auto count = tensor.shape.ElementCount();
  if (!count) {
    return Internal("output '{}' has the impossible shape {}", output.name,
                    tensor.shape.ToString());
  }
  std::string storage;
  const std::string_view bytes = Contiguous(tensor, storage);
  out.push_back('[');
  if (tensor.dtype == DataType::kBytes) {
    HEADRACE_RETURN_IF_ERROR(
        WriteStrings(output.name, bytes, static_cast<std::size_t>(*count), out));
  } else {
    const auto expected =
        CheckedMultiply(static_cast<std::size_t>(*count), DataTypeByteSize(tensor.dtype));
    if (!expected || *expected != bytes.size()) {
      return Internal("output '{}': {} {} cannot have {} bytes", output.name,
                      DataTypeName(tensor.dtype), tensor.shape.ToString(), bytes.size());
    }
    HEADRACE_RETURN_IF_ERROR(WriteFixedSize(output, bytes, out));
  }
  out.push_back(']');
  return OkStatus();
}

void WriteParameterMembers(const std::vector<Parameter>& parameters, JsonWriter& json) {
  for (const Parameter& parameter : parameters) {
    json.Key(parameter.name);
    if (const auto* text = std::get_if<std::string>(&parameter.value)) {
      json.String(*text);
    } else if (const auto* integer = std::get_if<std::int64_t>(&parameter.value)) {
      json.Int(*integer);
    } else if (const auto* flag = std::get_if<bool>(&parameter.value)) {
      json.Bool(*flag);
    } else {
      json.Double(std::get<double>(parameter.value));
    }
  }
}

Result<V2EncodedResponse> EncodeInferResponse(const V2InferResponse& response) {
  std::string out;
  out.reserve(ExpectedByteSize(response));
  JsonWriter json(out);
  json.BeginObject();
  if (!response.id.empty()) {
    json.Key("id").String(response.id);
  }
  json.Key("model_name").String(response.model_name);
  char version[24] = {'"'};
  char* version_end =
      std::to_chars(version + 1, version + sizeof(version) - 1, response.model_version).ptr;
  *version_end++ = '"';
  json.Key("model_version").Raw({version, static_cast<std::size_t>(version_end - version)});
  if (response.parameters != nullptr && !response.parameters->empty()) {
    json.Key("parameters").BeginObject();
    WriteParameterMembers(*response.parameters, json);
    json.EndObject();
  }
  json.Key("outputs").BeginArray();
  bool any_binary = false;
  for (const V2OutputTensor& output : response.outputs) {
    any_binary |= output.binary && !output.elsewhere;
    HEADRACE_RETURN_IF_ERROR(WriteOutput(output, json, out));
  }
  json.EndArray().EndObject();

  V2EncodedResponse encoded;
  if (any_binary) {
    encoded.json_byte_size = out.size();
  }
  encoded.body.reserve(1 + response.outputs.size());
  encoded.body.push_back(Buffer::FromString(std::move(out)));
  for (const V2OutputTensor& output : response.outputs) {
    const std::size_t fragment_count =
        output.binary && !output.elsewhere ? output.tensor->fragment_count() : 0;
    for (std::size_t i = 0; i < fragment_count; ++i) {
      if (!output.tensor->fragment(i).empty()) {
        encoded.body.push_back(output.tensor->fragment(i));
      }
    }
  }
  return encoded;
}

}  // namespace headrace::protocol

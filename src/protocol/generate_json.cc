#include "protocol/generate_json.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/checked_math.h"
#include "protocol/json_writer.h"
#include "protocol/v2_parameters.h"
#include "protocol/v2_response_json.h"
#include "tensor/bytes_codec.h"

namespace headrace::protocol {
namespace {

// The place of a member in messages.
constexpr FieldPath kTop{};

// Collects the elements of one input.
class ElementReader {
 public:
  ElementReader(const GenerateInput& input, JsonCursor& cursor) : input_(input), cursor_(cursor) {}

  Status Read() {
    if (cursor_.Type() != JsonType::kArray) {
      return ReadElement();
    }
    if (!cursor_.EnterArray()) {
      return Failure();
    }
    while (cursor_.NextElement()) {
      HEADRACE_RETURN_IF_ERROR(ReadElement());
    }
    return cursor_.status();
  }

  std::int64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  Status Failure() const { return FieldError(cursor_, kTop, input_.name); }

  Status OutOfRange() const {
    return InvalidArgument("Unable to parse '{}': element {} is out of range for {}", input_.name,
                           count_, DataTypeName(input_.dtype));
  }

  template <typename T>
  Status Append(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    ++count_;
    return OkStatus();
  }

  template <typename T>
  Status ReadSigned() {
    std::int64_t value = 0;
    if (!cursor_.ReadInt(value)) {
      return Failure();
    }
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
      return OutOfRange();
    }
    return Append(static_cast<T>(value));
  }

  template <typename T>
  Status ReadUnsigned() {
    std::uint64_t value = 0;
    if (!cursor_.ReadUint(value)) {
      return Failure();
    }
    if (value > std::numeric_limits<T>::max()) {
      return OutOfRange();
    }
    return Append(static_cast<T>(value));
  }

  template <typename T>
  Status ReadReal() {
    double value = 0;
    if (!cursor_.ReadDouble(value)) {
      return Failure();
    }
    if (!std::isfinite(static_cast<T>(value))) {
      return OutOfRange();
    }
    return Append(static_cast<T>(value));
  }

  Status ReadElement() {
    switch (input_.dtype) {
      case DataType::kBool: {
        bool value = false;
        return cursor_.ReadBool(value) ? Append(static_cast<std::uint8_t>(value)) : Failure();
      }
      case DataType::kInt8:
        return ReadSigned<std::int8_t>();
      case DataType::kInt16:
        return ReadSigned<std::int16_t>();
      case DataType::kInt32:
        return ReadSigned<std::int32_t>();
      case DataType::kInt64:
        return ReadSigned<std::int64_t>();
      case DataType::kUint8:
        return ReadUnsigned<std::uint8_t>();
      case DataType::kUint16:
        return ReadUnsigned<std::uint16_t>();
      case DataType::kUint32:
        return ReadUnsigned<std::uint32_t>();
      case DataType::kUint64:
        return ReadUnsigned<std::uint64_t>();
      case DataType::kFp32:
        return ReadReal<float>();
      case DataType::kFp64:
        return ReadReal<double>();
      case DataType::kBytes: {
        std::string_view text;
        if (!cursor_.ReadString(text)) {
          return Failure();
        }
        AppendBytesElement(bytes_, text);
        ++count_;
        return OkStatus();
      }
      default:
        return InvalidArgument(
            "receiving {} data via JSON is not supported. Please use the infer endpoint with the "
            "binary data format for input {}",
            DataTypeName(input_.dtype), input_.name);
    }
  }

  const GenerateInput& input_;
  JsonCursor& cursor_;
  std::string bytes_;  // no longer than a few times the text that it comes from
  std::int64_t count_ = 0;
};

Result<Shape> ShapeFor(const GenerateInput& input, std::int64_t count) {
  const auto mismatch = [&] {
    return InvalidArgument(
        "The schema can not convert input '{}' to tensor with proper shape: {} elements do not fit "
        "{}",
        input.name, count, input.dims.ToString());
  };
  Shape shape = input.dims;
  std::int64_t fixed = 1;
  std::int64_t* open = nullptr;
  for (std::size_t i = shape.rank(); i > 0; --i) {
    std::int64_t& dim = shape[i - 1];
    if (dim >= 0) {
      const auto product = CheckedMultiply(fixed, dim);
      if (!product) {
        return mismatch();
      }
      fixed = *product;
    } else if (open == nullptr) {
      open = &dim;
    } else {
      dim = 1;
    }
  }
  if (open == nullptr) {
    return fixed == count ? Result<Shape>(shape) : Result<Shape>(mismatch());
  }
  if (fixed == 0 || count % fixed != 0) {
    return mismatch();
  }
  *open = count / fixed;
  return shape;
}

class GenerateReader {
 public:
  GenerateReader(std::span<const GenerateInput> inputs, const V2JsonLimits& limits,
                 JsonCursor& cursor, BlockPool& pool)
      : inputs_(inputs), limits_(limits), cursor_(cursor), pool_(pool) {}

  Status Read(V2InferRequest& request) {
    for (std::string_view name; cursor_.NextField(name);) {
      if (name == "id") {
        HEADRACE_RETURN_IF_ERROR(ReadId(request));
      } else if (name == "parameters" && cursor_.Type() == JsonType::kObject) {
        cursor_.EnterObject();
        for (std::string_view inner; cursor_.NextField(inner);) {
          HEADRACE_RETURN_IF_ERROR(ReadMember(inner, request));
        }
        HEADRACE_RETURN_IF_ERROR(cursor_.status());
      } else {
        HEADRACE_RETURN_IF_ERROR(ReadMember(name, request));
      }
    }
    cursor_.Close();
    return cursor_.status();
  }

 private:
  Status ReadId(V2InferRequest& request) {
    std::string_view id;
    if (!cursor_.ReadString(id)) {
      return FieldError(cursor_, kTop, "id");
    }
    if (id.size() > limits_.id_byte_size_max || HasControlByte(id)) {
      return InvalidArgument(
          "Unable to parse 'id': at most {} bytes and no control characters are accepted",
          limits_.id_byte_size_max);
    }
    request.id = id;
    return OkStatus();
  }

  const GenerateInput* FindInput(std::string_view name) const {
    for (const GenerateInput& input : inputs_) {
      if (input.name == name) {
        return &input;
      }
    }
    return nullptr;
  }

  Status ReadMember(std::string_view name, V2InferRequest& request) {
    const GenerateInput* const input = FindInput(name);
    if (input == nullptr) {
      return ReadRequestParameter(cursor_, name, limits_, request);
    }
    // Once at the top and once in `parameters`, at most; that there are two the engine refuses.
    ElementReader elements(*input, cursor_);
    HEADRACE_RETURN_IF_ERROR(elements.Read());
    NamedTensor tensor;
    tensor.name = input->name;
    tensor.tensor.dtype = input->dtype;
    HEADRACE_ASSIGN_OR_RETURN(tensor.tensor.shape, ShapeFor(*input, elements.count()));
    const std::string& bytes = elements.bytes();
    if (bytes.size() > limits_.json_byte_size_max) {
      return ResourceExhausted("Unable to parse '{}': the tensor would exceed {} bytes", name,
                               limits_.json_byte_size_max);
    }
    HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, pool_.Allocate(bytes.size()));
    if (!bytes.empty()) {
      std::memcpy(memory.data(), bytes.data(), bytes.size());
    }
    tensor.tensor.data = std::move(memory).Freeze();
    request.inputs.push_back(std::move(tensor));
    return OkStatus();
  }

  const std::span<const GenerateInput> inputs_;
  const V2JsonLimits& limits_;
  JsonCursor& cursor_;
  BlockPool& pool_;
};

}  // namespace

Result<V2InferRequest> ParseGenerateRequest(std::string_view body,
                                            std::span<const GenerateInput> inputs,
                                            const V2JsonLimits& limits, JsonCursor& cursor,
                                            BlockPool& pool) {
  V2InferRequest request;
  Status status = cursor.Open(body, limits.depth_max)
                      ? GenerateReader(inputs, limits, cursor, pool).Read(request)
                      : cursor.status();
  cursor.Trim();
  if (!status.ok()) {
    return status;
  }
  return request;
}

Result<std::string> EncodeGenerateResponse(const V2InferResponse& response) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  if (!response.id.empty()) {
    json.Key("id").String(response.id);
  }
  json.Key("model_name").String(response.model_name);
  json.Key("model_version").String(std::to_string(response.model_version));
  if (response.parameters != nullptr) {
    WriteParameterMembers(*response.parameters, json);
  }
  for (const V2OutputTensor& output : response.outputs) {
    json.Key(output.name);
    std::string list;
    HEADRACE_RETURN_IF_ERROR(WriteTensorData(output, list));
    const bool single = output.tensor->shape.ElementCount() == std::int64_t{1};
    json.Raw(single ? std::string_view(list).substr(1, list.size() - 2) : list);
  }
  json.EndObject();
  return out;
}

}  // namespace headrace::protocol

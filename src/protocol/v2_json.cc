#include "protocol/v2_json.h"

#include <utility>

#include "base/checked_math.h"
#include "protocol/json_cursor.h"
#include "protocol/json_data.h"
#include "protocol/v2_parameters.h"

namespace headrace::protocol {
namespace {

// D14. A dimension beyond this is no tensor of ours, whatever the others are.
constexpr std::uint64_t kDimensionMax = std::uint64_t{1} << 40;

// One input while its members arrive, in any order.
struct InputDraft {
  NamedTensor input;
  std::string_view datatype;
  bool has_name = false;
  bool has_datatype = false;
  bool has_shape = false;
  std::optional<std::string_view> data;
  std::size_t data_nesting_max = 0;
  InputParameters parameters;
};

// The parts of one request that its members are read against.
struct RequestSource {
  const Buffer& body;
  std::size_t json_byte_size;
  bool has_header;  // raw tensor bytes may follow the JSON
  std::string_view model_name;
  const V2JsonLimits& limits;
};

Status Missing(const FieldPath& path, std::string_view member) {
  return InvalidArgument(
      "Unable to parse '{}': attempt to access non-existing object member '{}' ({})", member,
      member, path.Of(member));
}

class RequestReader {
 public:
  RequestReader(const RequestSource& source, JsonCursor& cursor, BlockPool& pool)
      : source_(source), cursor_(cursor), pool_(pool), binary_offset_(source.json_byte_size) {}

  Status Read(V2InferRequest& request) {
    bool has_inputs = false;
    for (std::string_view key; cursor_.NextField(key);) {
      if (key == "inputs") {
        has_inputs = true;
        HEADRACE_RETURN_IF_ERROR(ReadInputs(request));
      } else if (key == "outputs") {
        HEADRACE_RETURN_IF_ERROR(ReadOutputs(request));
      } else if (key == "parameters") {
        HEADRACE_RETURN_IF_ERROR(ReadRequestParameters(cursor_, source_.limits, request));
      } else if (key == "id") {
        HEADRACE_RETURN_IF_ERROR(ReadId(request));
      } else {
        cursor_.Skip();
      }
    }
    if (!cursor_.Close()) {
      return cursor_.status();
    }
    if (!has_inputs) {
      return Missing(FieldPath(), "inputs");
    }
    if (binary_offset_ != source_.body.size()) {
      return InvalidArgument(
          "unexpected additional input data for model '{}': {} bytes are left over",
          source_.model_name, source_.body.size() - binary_offset_);
    }
    return OkStatus();
  }

 private:
  Status ReadId(V2InferRequest& request) {
    std::string_view id;
    if (!cursor_.ReadString(id)) {
      return FieldError(cursor_, FieldPath(), "id");
    }
    if (id.size() > source_.limits.id_byte_size_max) {
      return InvalidArgument("Unable to parse 'id': {} bytes exceed the limit of {}", id.size(),
                             source_.limits.id_byte_size_max);
    }
    if (HasControlByte(id)) {
      return InvalidArgument("Unable to parse 'id': control characters are not accepted");
    }
    request.id = id;
    return OkStatus();
  }

  Status ReadInputs(V2InferRequest& request) {
    if (!cursor_.EnterArray()) {
      return FieldError(cursor_, FieldPath(), "inputs");
    }
    request.inputs.reserve(1);
    while (cursor_.NextElement()) {
      const FieldPath path{"inputs", request.inputs.size()};
      if (path.index >= source_.limits.input_count_max) {
        return InvalidArgument("inputs: more than the {} inputs that model '{}' may get",
                               source_.limits.input_count_max, source_.model_name);
      }
      InputDraft draft;
      HEADRACE_RETURN_IF_ERROR(ReadInput(path, draft));
      HEADRACE_RETURN_IF_ERROR(FinishInput(path, draft));
      if (draft.parameters.shared_memory) {
        request.shared_inputs.push_back({path.index, *std::move(draft.parameters.shared_memory)});
      }
      request.inputs.push_back(std::move(draft.input));
    }
    return cursor_.status();
  }

  Status ReadInput(const FieldPath& path, InputDraft& draft) {
    if (!cursor_.EnterObject()) {
      return FieldError(cursor_, FieldPath(), "inputs");
    }
    for (std::string_view key; cursor_.NextField(key);) {
      if (key == "name") {
        draft.has_name = true;
        HEADRACE_RETURN_IF_ERROR(ReadName(path, draft.input.name));
      } else if (key == "datatype") {
        draft.has_datatype = true;
        if (!cursor_.ReadString(draft.datatype)) {
          return FieldError(cursor_, path, key);
        }
      } else if (key == "shape") {
        draft.has_shape = true;
        HEADRACE_RETURN_IF_ERROR(ReadShape(path, draft.input.tensor.shape));
      } else if (key == "parameters") {
        HEADRACE_RETURN_IF_ERROR(ReadInputParameters(cursor_, path, draft.parameters));
      } else if (key == "data") {
        draft.data_nesting_max = cursor_.nesting_left();
        if (!cursor_.SkipUncheckedArray(draft.data.emplace())) {
          return FieldError(cursor_, path, key);
        }
      } else {
        cursor_.Skip();
      }
    }
    return cursor_.status();
  }

  Status ReadName(const FieldPath& path, std::string& name) {
    std::string_view text;
    if (!cursor_.ReadString(text)) {
      return FieldError(cursor_, path, "name");
    }
    if (HasControlByte(text)) {
      return InvalidArgument("Unable to parse 'name': control characters are not accepted ({})",
                             path.Of("name"));
    }
    name = text;
    return OkStatus();
  }

  Status ReadShape(const FieldPath& path, Shape& shape) {
    if (!cursor_.EnterArray()) {
      return FieldError(cursor_, path, "shape");
    }
    while (cursor_.NextElement()) {
      std::uint64_t dim = 0;
      if (!cursor_.ReadUint(dim)) {
        return FieldError(cursor_, path, "shape");
      }
      if (dim > kDimensionMax) {
        return InvalidArgument(
            "Unable to parse 'shape': dimension {} would overflow, the limit is {} ({})", dim,
            kDimensionMax, path.Of("shape"));
      }
      if (!shape.Append(static_cast<std::int64_t>(dim))) {
        return InvalidArgument("Unable to parse 'shape': more than {} dimensions ({})",
                               Shape::kRankMax, path.Of("shape"));
      }
    }
    return cursor_.status();
  }

  // Gives the input its bytes, now that all of its members are known.
  Status FinishInput(const FieldPath& path, InputDraft& draft) {
    if (!draft.has_name || !draft.has_datatype || !draft.has_shape) {
      return Missing(path, !draft.has_name ? "name" : !draft.has_datatype ? "datatype" : "shape");
    }
    Tensor& tensor = draft.input.tensor;
    tensor.dtype = DataTypeFromName(draft.datatype);
    if (tensor.dtype == DataType::kInvalid) {
      return InvalidArgument("invalid datatype for input {}: '{}' ({})", draft.input.name,
                             draft.datatype.substr(0, 32), path.Of("datatype"));
    }
    const auto element_count = tensor.shape.ElementCount();
    const auto width = static_cast<std::int64_t>(DataTypeByteSize(tensor.dtype));
    if (!element_count || !CheckedMultiply(*element_count, width == 0 ? 4 : width)) {
      return InvalidArgument("Unable to parse 'shape': the byte size of {} {} would overflow ({})",
                             DataTypeName(tensor.dtype), tensor.shape.ToString(), path.Of("shape"));
    }
    HEADRACE_RETURN_IF_ERROR(CheckOneSource(path, draft));
    if (draft.parameters.shared_memory) {
      return OkStatus();
    }
    if (draft.parameters.binary_data_size) {
      return TakeBinary(draft);
    }
    return Convert(path, draft, static_cast<std::size_t>(*element_count));
  }

  static Status CheckOneSource(const FieldPath& path, const InputDraft& draft) {
    const int sources = (draft.data ? 1 : 0) + (draft.parameters.binary_data_size ? 1 : 0) +
                        (draft.parameters.shared_memory ? 1 : 0);
    if (sources == 1) {
      return OkStatus();
    }
    return InvalidArgument(
        "Input must set only one of the following fields: 'data', 'binary_data_size' in "
        "'parameters', "
        "'shared_memory_region' in 'parameters'. But {}{}{}{} ({})",
        sources == 0 ? "no field is set" : "set", draft.data ? " 'data'" : "",
        draft.parameters.binary_data_size ? " 'binary_data_size'" : "",
        draft.parameters.shared_memory ? " 'shared_memory_region'" : "", path.Of(draft.input.name));
  }

  Status TakeBinary(InputDraft& draft) {
    if (!source_.has_header) {
      return InvalidArgument(
          "must specify valid 'Infer-Header-Content-Length' in request header and "
          "'binary_data_size' when passing "
          "inputs in binary data format");
    }
    const std::uint64_t byte_size = *draft.parameters.binary_data_size;
    const std::uint64_t left = source_.body.size() - binary_offset_;
    if (byte_size > left) {
      return InvalidArgument(
          "unexpected size for input '{}', expecting {} additional bytes for model '{}'",
          draft.input.name, byte_size - left, source_.model_name);
    }
    draft.input.tensor.data = source_.body.Slice(binary_offset_, byte_size);
    binary_offset_ += byte_size;
    return OkStatus();
  }

  Status Convert(const FieldPath& path, InputDraft& draft, std::size_t element_count) {
    const DataType dtype = draft.input.tensor.dtype;
    if (dtype == DataType::kFp16 || dtype == DataType::kBf16) {
      return InvalidArgument(
          "receiving {} data via JSON is not supported. Please use the binary data format for "
          "input {}",
          DataTypeName(dtype), draft.input.name);
    }
    JsonData data;
    data.text = *draft.data;
    data.document = source_.body.view().data();
    data.dtype = dtype;
    data.element_count = element_count;
    data.nesting_max = draft.data_nesting_max;
    data.byte_size_max = source_.limits.json_byte_size_max;
    data.input_index = path.index;
    HEADRACE_ASSIGN_OR_RETURN(draft.input.tensor.data, ReadJsonData(data, cursor_, pool_));
    return OkStatus();
  }

  Status ReadOutputs(V2InferRequest& request) {
    if (!cursor_.EnterArray()) {
      return FieldError(cursor_, FieldPath(), "outputs");
    }
    while (cursor_.NextElement()) {
      const FieldPath path{"outputs", request.outputs.size()};
      if (path.index >= source_.limits.output_count_max) {
        return InvalidArgument("outputs: more than the {} outputs that model '{}' has",
                               source_.limits.output_count_max, source_.model_name);
      }
      V2RequestedOutput output;
      HEADRACE_RETURN_IF_ERROR(ReadOutput(path, output));
      request.outputs.push_back(std::move(output));
    }
    return cursor_.status();
  }

  Status ReadOutput(const FieldPath& path, V2RequestedOutput& output) {
    if (!cursor_.EnterObject()) {
      return FieldError(cursor_, FieldPath(), "outputs");
    }
    bool has_name = false;
    for (std::string_view key; cursor_.NextField(key);) {
      if (key == "name") {
        has_name = true;
        HEADRACE_RETURN_IF_ERROR(ReadName(path, output.name));
      } else if (key == "parameters") {
        HEADRACE_RETURN_IF_ERROR(ReadOutputParameters(cursor_, path, output));
      } else {
        cursor_.Skip();
      }
    }
    HEADRACE_RETURN_IF_ERROR(cursor_.status());
    return has_name ? OkStatus() : Missing(path, "name");
  }

  const RequestSource& source_;
  JsonCursor& cursor_;
  BlockPool& pool_;
  std::size_t binary_offset_;  // in the body: the first raw byte that no input has taken
};

}  // namespace

class V2JsonParser::Impl {
 public:
  JsonCursor cursor;
};

V2JsonParser::V2JsonParser() : impl_(std::make_unique<Impl>()) {}
V2JsonParser::~V2JsonParser() = default;

Result<V2InferRequest> V2JsonParser::ParseInferRequest(const Buffer& body,
                                                       std::optional<std::uint64_t> json_byte_size,
                                                       std::string_view model_name,
                                                       const V2JsonLimits& limits,
                                                       BlockPool& pool) {
  const std::uint64_t json_size = json_byte_size.value_or(body.size());
  if (json_byte_size && (json_size == 0 || json_size > body.size())) {
    return InvalidArgument("inference header size should be in range (0, {}), got: {}", body.size(),
                           json_size);
  }
  if (json_size > limits.json_byte_size_max) {
    return ResourceExhausted(
        "request JSON of {} bytes exceeds the maximum allowed input size of {} bytes. Use "
        "--http-max-input-size to "
        "increase the limit.",
        json_size, limits.json_byte_size_max);
  }
  JsonCursor& cursor = impl_->cursor;
  V2InferRequest request;
  const RequestSource source{body, json_size, json_byte_size.has_value(), model_name, limits};
  Status status = cursor.Open(body.view().substr(0, json_size), limits.depth_max)
                      ? RequestReader(source, cursor, pool).Read(request)
                      : cursor.status();
  cursor.Trim();
  if (!status.ok()) {
    return status;
  }
  return request;
}

Result<std::uint64_t> ParseInferenceHeaderLength(std::string_view value) {
  const auto length = ParseDecimal<std::uint64_t>(value);
  if (!length) {
    return InvalidArgument(
        "inference header size should be in range of decimal integers, got: '{}'",
        value.substr(0, 32));
  }
  return *length;
}

}  // namespace headrace::protocol

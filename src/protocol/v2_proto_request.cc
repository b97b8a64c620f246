#include <fmt/format.h>

#include <utility>

#include "base/checked_math.h"
#include "protocol/proto_contents.h"
#include "protocol/proto_parameters.h"
#include "protocol/proto_reader.h"
#include "protocol/v2_parameters.h"
#include "protocol/v2_proto.h"

namespace headrace::protocol {
namespace {

// D14. A dimension beyond this is no tensor of ours, whatever the others are.
constexpr std::int64_t kDimensionMax = std::int64_t{1} << 40;
constexpr std::size_t kDatatypeByteSizeMax = 32;
// A message field may come in parts, which count as one; nobody does that.
constexpr std::size_t kContentsPartsMax = 16;

// Fields of ModelInferRequest.
constexpr std::uint32_t kModelName = 1;
constexpr std::uint32_t kModelVersion = 2;
constexpr std::uint32_t kId = 3;
constexpr std::uint32_t kParameters = 4;
constexpr std::uint32_t kInputs = 5;
constexpr std::uint32_t kOutputs = 6;
constexpr std::uint32_t kRawInputContents = 7;

// "inputs[3]", made into text only for a message that says what is wrong.
struct Path {
  std::string_view list;
  std::size_t index;

  std::string Text() const { return fmt::format("{}[{}]", list, index); }
};

// One input while the rest of the message is read.
struct InputDraft {
  NamedTensor input;
  std::vector<ProtoReader> contents;  // its parts; none: the field is not there
  std::optional<V2SharedMemory> shared_memory;
};

class RequestReader {
 public:
  RequestReader(std::string_view model_name, const V2ProtoLimits& limits, BlockPool& pool)
      : model_name_(model_name), limits_(limits), pool_(pool) {}

  Status Read(ProtoReader reader, V2ProtoRequest& request) {
    while (reader.Next()) {
      switch (reader.field()) {
        case kId:
          HEADRACE_RETURN_IF_ERROR(ReadId(reader, request.message));
          break;
        case kParameters:
          HEADRACE_RETURN_IF_ERROR(ReadParameter(reader, request));
          break;
        case kInputs:
          HEADRACE_RETURN_IF_ERROR(ReadInput(reader));
          break;
        case kOutputs:
          HEADRACE_RETURN_IF_ERROR(ReadOutput(reader, request.message));
          break;
        case kRawInputContents:
          HEADRACE_RETURN_IF_ERROR(ReadRaw(reader));
          break;
        default:  // name and version, which ReadProtoTarget has read, and what is not known
          reader.Skip();
      }
    }
    if (!reader.ok()) {
      return ProtoError(reader, "ModelInferRequest");
    }
    return GiveData(request.message);
  }

 private:
  Status ReadId(ProtoReader& reader, V2InferRequest& message) {
    if (!reader.ReadString(message.id, limits_.id_byte_size_max)) {
      return ProtoError(reader, "id");
    }
    if (HasControlByte(message.id)) {
      return InvalidArgument("id: control characters are not accepted");
    }
    return OkStatus();
  }

  Status ReadParameter(ProtoReader& reader, V2ProtoRequest& request) {
    // Reserved ones are not kept, so the count of those kept does not bound the work; the message's
    // size does.
    ProtoParameter parameter;
    HEADRACE_RETURN_IF_ERROR(ReadProtoParameter(reader, limits_, "parameters", parameter));
    return ApplyRequestParameter(std::move(parameter), limits_, request);
  }

  Status ReadName(ProtoReader& reader, const Path& path, std::string& name) {
    if (!reader.ReadString(name, limits_.name_byte_size_max)) {
      return ProtoError(reader, path.Text() + ".name");
    }
    if (HasControlByte(name)) {
      return InvalidArgument("{}.name: control characters are not accepted", path.Text());
    }
    return OkStatus();
  }

  Status AppendDimension(std::uint64_t bits, const Path& path, Shape& shape) {
    const auto dim = static_cast<std::int64_t>(bits);
    if (dim < 0 || dim > kDimensionMax) {
      return InvalidArgument("{}.shape[{}]: {} is not a dimension, which is 0 to {}", path.Text(),
                             shape.rank(), dim, kDimensionMax);
    }
    if (!shape.Append(dim)) {
      return InvalidArgument("{}.shape: more than {} dimensions", path.Text(), Shape::kRankMax);
    }
    return OkStatus();
  }

  Status ReadShape(ProtoReader& reader, const Path& path, Shape& shape) {
    std::uint64_t bits = 0;
    if (reader.type() == ProtoType::kVarint) {
      if (reader.ReadVarint(bits)) {
        return AppendDimension(bits, path, shape);
      }
      return ProtoError(reader, path.Text() + ".shape");
    }
    ProtoReader list;
    if (!reader.ReadMessage(list)) {
      return ProtoError(reader, path.Text() + ".shape");
    }
    while (!list.at_end()) {
      if (!list.BareVarint(bits)) {
        return ProtoError(list, path.Text() + ".shape");
      }
      HEADRACE_RETURN_IF_ERROR(AppendDimension(bits, path, shape));
    }
    return list.ok() ? OkStatus() : ProtoError(list, path.Text() + ".shape");
  }

  Status ReadInput(ProtoReader& reader) {
    const Path path{"inputs", drafts_.size()};
    if (drafts_.size() >= limits_.input_count_max) {
      return InvalidArgument("inputs: more than the {} inputs that model '{}' may get",
                             limits_.input_count_max, model_name_);
    }
    ProtoReader input;
    if (!reader.ReadMessage(input)) {
      return ProtoError(reader, path.Text());
    }
    InputDraft draft;
    std::string datatype;
    std::vector<ProtoParameter> parameters;
    while (input.Next()) {
      switch (input.field()) {
        case 1:
          HEADRACE_RETURN_IF_ERROR(ReadName(input, path, draft.input.name));
          break;
        case 2:
          if (!input.ReadString(datatype, kDatatypeByteSizeMax)) {
            return ProtoError(input, path.Text() + ".datatype");
          }
          break;
        case 3:
          HEADRACE_RETURN_IF_ERROR(ReadShape(input, path, draft.input.tensor.shape));
          break;
        case 4:
          HEADRACE_RETURN_IF_ERROR(CollectParameter(input, path, parameters));
          break;
        case 5:
          if (draft.contents.size() == kContentsPartsMax) {
            return InvalidArgument("{}.contents: given more than {} times", path.Text(),
                                   kContentsPartsMax);
          }
          if (!input.ReadMessage(draft.contents.emplace_back())) {
            return ProtoError(input, path.Text() + ".contents");
          }
          break;
        default:
          input.Skip();
      }
    }
    if (!input.ok()) {
      return ProtoError(input, path.Text());
    }
    HEADRACE_RETURN_IF_ERROR(CheckInput(path, datatype, draft));
    HEADRACE_RETURN_IF_ERROR(
        ApplyInputParameters(parameters, draft.input.name, draft.shared_memory));
    drafts_.push_back(std::move(draft));
    return OkStatus();
  }

  Status CollectParameter(ProtoReader& reader, const Path& path,
                          std::vector<ProtoParameter>& parameters) {
    if (parameters.size() >= limits_.parameter_count_max) {
      return InvalidArgument("{}.parameters: more than {} parameters", path.Text(),
                             limits_.parameter_count_max);
    }
    return ReadProtoParameter(reader, limits_, path.Text() + ".parameters",
                              parameters.emplace_back());
  }

  static Status CheckInput(const Path& path, const std::string& datatype, InputDraft& draft) {
    if (draft.input.name.empty()) {
      return InvalidArgument("{}.name: an input needs a name", path.Text());
    }
    Tensor& tensor = draft.input.tensor;
    tensor.dtype = DataTypeFromName(datatype);
    if (tensor.dtype == DataType::kInvalid) {
      return InvalidArgument("invalid datatype for input {}: '{}' ({}.datatype)", draft.input.name,
                             datatype, path.Text());
    }
    const auto element_count = tensor.shape.ElementCount();
    const auto width = static_cast<std::int64_t>(DataTypeByteSize(tensor.dtype));
    if (!element_count || !CheckedMultiply(*element_count, width == 0 ? 4 : width)) {
      return InvalidArgument("{}.shape: the byte size of {} {} would overflow", path.Text(),
                             DataTypeName(tensor.dtype), tensor.shape.ToString());
    }
    return OkStatus();
  }

  static Status ApplyInputParameters(const std::vector<ProtoParameter>& parameters,
                                     const std::string& name,
                                     std::optional<V2SharedMemory>& memory) {
    SharedMemoryParameters where;
    Status status;
    for (const ProtoParameter& parameter : parameters) {
      where.Take(parameter, name, status);
      HEADRACE_RETURN_IF_ERROR(status);
    }
    return where.Finish(name, memory);
  }

  Status ReadOutput(ProtoReader& reader, V2InferRequest& message) {
    const Path path{"outputs", message.outputs.size()};
    if (message.outputs.size() >= limits_.output_count_max) {
      return InvalidArgument("outputs: more than the {} outputs that model '{}' has",
                             limits_.output_count_max, model_name_);
    }
    ProtoReader output;
    if (!reader.ReadMessage(output)) {
      return ProtoError(reader, path.Text());
    }
    V2RequestedOutput requested;
    std::vector<ProtoParameter> parameters;
    while (output.Next()) {
      if (output.field() == 1) {
        HEADRACE_RETURN_IF_ERROR(ReadName(output, path, requested.name));
      } else if (output.field() == 2) {
        HEADRACE_RETURN_IF_ERROR(CollectParameter(output, path, parameters));
      } else {
        output.Skip();
      }
    }
    if (!output.ok()) {
      return ProtoError(output, path.Text());
    }
    if (requested.name.empty()) {
      return InvalidArgument("{}.name: an output needs a name", path.Text());
    }
    HEADRACE_RETURN_IF_ERROR(ApplyOutputParameters(parameters, requested));
    message.outputs.push_back(std::move(requested));
    return OkStatus();
  }

  static Status ApplyOutputParameters(const std::vector<ProtoParameter>& parameters,
                                      V2RequestedOutput& output) {
    SharedMemoryParameters where;
    Status status;
    for (const ProtoParameter& parameter : parameters) {
      if (where.Take(parameter, output.name, status)) {
        HEADRACE_RETURN_IF_ERROR(status);
      } else if (parameter.name == "classification") {
        const auto* count = std::get_if<std::int64_t>(&parameter.value);
        if (count == nullptr || *count <= 0) {
          return InvalidArgument(
              "invalid value for 'classification' parameter of output '{}', expected int64_param "
              "above 0.",
              output.name);
        }
        output.classification_count = static_cast<std::uint64_t>(*count);
      }
    }
    HEADRACE_RETURN_IF_ERROR(where.Finish(output.name, output.shared_memory));
    if (output.shared_memory && output.classification_count > 0) {
      return InvalidArgument("shared memory can't be used for classification output '{}'",
                             output.name);
    }
    return OkStatus();
  }

  Status ReadRaw(ProtoReader& reader) {
    if (raw_.size() >= limits_.input_count_max) {
      return InvalidArgument("raw_input_contents: more than the {} inputs that model '{}' may get",
                             limits_.input_count_max, model_name_);
    }
    if (!reader.ReadInPlace(raw_.emplace_back())) {
      return ProtoError(reader, fmt::format("raw_input_contents[{}]", raw_.size() - 1));
    }
    return OkStatus();
  }

  // Now that the whole message is known: gives each input its bytes.
  Status GiveData(V2InferRequest& message) {
    std::size_t next_raw = 0;
    message.inputs.reserve(drafts_.size());
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      InputDraft& draft = drafts_[i];
      const std::string& name = draft.input.name;
      if (!raw_.empty() && !draft.contents.empty()) {
        return InvalidArgument(
            "contents field must not be specified when using raw_input_contents for '{}' for model "
            "'{}'",
            name, model_name_);
      }
      if (draft.shared_memory) {
        if (!draft.contents.empty()) {
          return InvalidArgument(
              "inputs[{}].contents: must not be specified when shared memory is used for '{}' for "
              "model '{}'",
              i, name, model_name_);
        }
        message.shared_inputs.push_back({i, *std::move(draft.shared_memory)});
      } else if (!draft.contents.empty()) {
        HEADRACE_RETURN_IF_ERROR(Convert(i, draft));
      } else if (next_raw < raw_.size()) {
        Tensor& raw = raw_[next_raw++];
        draft.input.tensor.data = std::move(raw.data);
        draft.input.tensor.more_fragments = std::move(raw.more_fragments);
      } else {
        return InvalidArgument(
            "unable to find data for input tensor '{}' for model '{}' in request.", name,
            model_name_);
      }
      message.inputs.push_back(std::move(draft.input));
    }
    if (next_raw != raw_.size()) {
      return InvalidArgument(
          "unexpected additional input data for model '{}': {} of {} raw_input_contents belong to "
          "no input",
          model_name_, raw_.size() - next_raw, raw_.size());
    }
    return OkStatus();
  }

  Status Convert(std::size_t index, InputDraft& draft) {
    Tensor& tensor = draft.input.tensor;
    ProtoContents contents;
    contents.parts = draft.contents;
    contents.dtype = tensor.dtype;
    contents.element_count = *tensor.shape.ElementCount();
    contents.byte_size_max = limits_.converted_byte_size_max;
    contents.input = draft.input.name;
    contents.model = model_name_;
    contents.input_index = index;
    HEADRACE_ASSIGN_OR_RETURN(tensor.data, ReadProtoContents(contents, pool_));
    return OkStatus();
  }

  const std::string_view model_name_;
  const V2ProtoLimits& limits_;
  BlockPool& pool_;
  std::vector<InputDraft> drafts_;
  std::vector<Tensor> raw_;  // fragments only
};

}  // namespace

Result<V2ProtoTarget> ReadProtoTarget(std::span<const Buffer> message,
                                      const V2ProtoLimits& limits) {
  V2ProtoTarget target;
  ProtoReader reader(message);
  while (reader.Next()) {
    std::string_view path;
    bool read = true;
    switch (reader.field()) {
      case kModelName:
        path = "model_name";
        read = reader.ReadString(target.model_name, limits.name_byte_size_max);
        break;
      case kModelVersion:
        path = "model_version";
        read = reader.ReadString(target.model_version, limits.name_byte_size_max);
        break;
      case kId:
        path = "id";
        read = reader.ReadString(target.id, limits.id_byte_size_max);
        break;
      default:
        reader.Skip();
    }
    if (!read) {
      return ProtoError(reader, path);
    }
  }
  if (!reader.ok()) {
    return ProtoError(reader, "ModelInferRequest");
  }
  return target;
}

std::uint64_t FindProtoRawInput(std::string_view begin) {
  const Buffer bytes = Buffer::Unowned(begin);
  ProtoReader reader(std::span<const Buffer>(&bytes, 1));
  while (reader.Next()) {
    if (reader.field() == kRawInputContents && reader.type() == ProtoType::kBytes) {
      std::uint64_t byte_size = 0;
      return reader.BareVarint(byte_size) ? begin.size() - reader.bytes_left() : 0;
    }
    reader.Skip();
  }
  return 0;
}

Result<V2ProtoRequest> ParseProtoInferRequest(std::span<const Buffer> message,
                                              std::string_view model_name,
                                              const V2ProtoLimits& limits, BlockPool& pool) {
  V2ProtoRequest request;
  HEADRACE_RETURN_IF_ERROR(
      RequestReader(model_name, limits, pool).Read(ProtoReader(message), request));
  return request;
}

}  // namespace headrace::protocol

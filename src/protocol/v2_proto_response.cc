#include <charconv>
#include <utility>

#include "protocol/proto_writer.h"
#include "protocol/v2_proto.h"

namespace headrace::protocol {
namespace {

// Fields of ModelInferResponse.
constexpr std::uint32_t kModelName = 1;
constexpr std::uint32_t kModelVersion = 2;
constexpr std::uint32_t kId = 3;
constexpr std::uint32_t kParameters = 4;
constexpr std::uint32_t kOutputs = 5;
constexpr std::uint32_t kRawOutputContents = 6;
// Fields of ModelStreamInferResponse.
constexpr std::uint32_t kErrorMessage = 1;
constexpr std::uint32_t kInferResponse = 2;
// Room in front of a response for the tag and length that a stream wants there.
constexpr std::size_t kStreamHeadByteSizeMax = 11;

std::string ParameterValueBytes(const ParameterValue& value) {
  std::string bytes;
  ProtoWriter writer(bytes);
  if (const auto* flag = std::get_if<bool>(&value)) {
    writer.Varint(1, *flag ? 1 : 0);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    writer.Varint(2, static_cast<std::uint64_t>(*number));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    writer.Bytes(3, *text);
  } else {
    writer.Double(4, std::get<double>(value));
  }
  return bytes;
}

void WriteParameters(const std::vector<Parameter>& parameters, ProtoWriter& writer) {
  for (const Parameter& parameter : parameters) {
    std::string entry;
    ProtoWriter entry_writer(entry);
    entry_writer.Bytes(1, parameter.name);
    entry_writer.Bytes(2, ParameterValueBytes(parameter.value));
    writer.Bytes(kParameters, entry);
  }
}

void WriteHead(const V2InferResponse& response, ProtoWriter& writer) {
  writer.Text(kModelName, response.model_name);
  if (response.model_version > 0) {
    char version[24];
    const char* const end =
        std::to_chars(version, version + sizeof(version), response.model_version).ptr;
    writer.Bytes(kModelVersion, {version, static_cast<std::size_t>(end - version)});
  }
  writer.Text(kId, response.id);
  if (response.parameters != nullptr) {
    WriteParameters(*response.parameters, writer);
  }
}

void WriteOutput(const V2OutputTensor& output, ProtoWriter& writer) {
  const std::string_view datatype = DataTypeName(output.tensor->dtype);
  std::size_t shape_byte_size = 0;
  for (const std::int64_t dim : output.tensor->shape) {
    shape_byte_size += VarintByteSize(static_cast<std::uint64_t>(dim));
  }
  const auto sized = [](std::size_t byte_size) {  // with its tag, all of which are below 16
    return byte_size == 0 ? 0 : 1 + VarintByteSize(byte_size) + byte_size;
  };
  writer.BytesHead(kOutputs,
                   sized(output.name.size()) + sized(datatype.size()) + sized(shape_byte_size));
  writer.Text(1, output.name);
  writer.Text(2, datatype);
  if (shape_byte_size > 0) {
    writer.BytesHead(3, shape_byte_size);
    for (const std::int64_t dim : output.tensor->shape) {
      writer.BareVarint(static_cast<std::uint64_t>(dim));
    }
  }
}

std::size_t RawByteSize(const V2OutputTensor& output) {
  return output.elsewhere ? 0 : output.tensor->byte_size();
}

void AppendBytes(const Tensor& tensor, std::string& bytes) {
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    bytes.append(tensor.fragment(i).view());
  }
}

// Up to here the bytes of all tensors together are copied: less than a buffer of their own costs.
constexpr std::uint64_t kCopiedByteSizeMax = 512;

// A response with `reserved` bytes of anything in front of it. `small` gets all bytes that are not
// a tensor's, `cuts` the places in it where the bytes of each output go; without cuts they are
// there.
struct Draft {
  std::string small;
  std::vector<std::size_t> cuts;
  std::uint64_t byte_size = 0;  // of the response
};

Result<Draft> Write(const V2InferResponse& response, std::size_t reserved,
                    std::size_t byte_size_max) {
  Draft draft;
  std::uint64_t tensor_byte_size = 0;
  for (const V2OutputTensor& output : response.outputs) {
    tensor_byte_size += RawByteSize(output);
  }
  const bool copied = tensor_byte_size <= kCopiedByteSizeMax;
  draft.small.reserve(reserved + 128 + response.id.size() + 64 * response.outputs.size() +
                      (copied ? tensor_byte_size : 0));
  draft.small.resize(reserved);
  ProtoWriter writer(draft.small);
  WriteHead(response, writer);
  for (const V2OutputTensor& output : response.outputs) {
    WriteOutput(output, writer);
  }
  if (!copied) {
    draft.cuts.reserve(response.outputs.size());
  }
  for (const V2OutputTensor& output : response.outputs) {
    writer.BytesHead(kRawOutputContents, RawByteSize(output));
    if (!copied) {
      draft.cuts.push_back(draft.small.size());
    } else if (!output.elsewhere) {
      AppendBytes(*output.tensor, draft.small);
    }
  }
  draft.byte_size = draft.small.size() - reserved + (copied ? 0 : tensor_byte_size);
  if (draft.byte_size > byte_size_max) {
    return ResourceExhausted(
        "the response of {} bytes exceeds the maximum of {} bytes; ask for fewer outputs, or take "
        "them in shared memory",
        draft.byte_size, byte_size_max);
  }
  return draft;
}

// The message from byte `begin` of the draft's small bytes on.
std::vector<Buffer> Join(Draft draft, const V2InferResponse& response, std::size_t begin) {
  if (draft.cuts.empty()) {
    return {Buffer::CopyOf(std::string_view(draft.small).substr(begin))};
  }
  const Buffer small = Buffer::FromString(std::move(draft.small));
  std::vector<Buffer> message;
  message.reserve(1 + 2 * response.outputs.size());
  std::size_t at = begin;
  for (std::size_t i = 0; i < response.outputs.size(); ++i) {
    const V2OutputTensor& output = response.outputs[i];
    if (RawByteSize(output) == 0) {
      continue;  // its small bytes go with those of the next
    }
    message.push_back(small.Slice(at, draft.cuts[i] - at));
    at = draft.cuts[i];
    for (std::size_t j = 0; j < output.tensor->fragment_count(); ++j) {
      if (!output.tensor->fragment(j).empty()) {
        message.push_back(output.tensor->fragment(j));
      }
    }
  }
  if (at < small.size()) {
    message.push_back(small.Slice(at, small.size() - at));
  }
  return message;
}

}  // namespace

Result<std::vector<Buffer>> EncodeProtoInferResponse(const V2InferResponse& response,
                                                     std::size_t byte_size_max) {
  HEADRACE_ASSIGN_OR_RETURN(Draft draft, Write(response, 0, byte_size_max));
  return Join(std::move(draft), response, 0);
}

Result<std::vector<Buffer>> EncodeProtoStreamResponse(const V2InferResponse& response,
                                                      std::size_t byte_size_max) {
  HEADRACE_ASSIGN_OR_RETURN(Draft draft, Write(response, kStreamHeadByteSizeMax, byte_size_max));
  std::string head;
  ProtoWriter(head).BytesHead(kInferResponse, draft.byte_size);
  const std::size_t begin = kStreamHeadByteSizeMax - head.size();
  draft.small.replace(begin, head.size(), head);
  return Join(std::move(draft), response, begin);
}

std::vector<Buffer> EncodeProtoStreamError(std::string_view error_message,
                                           const V2InferResponse& response) {
  std::string inner;
  ProtoWriter inner_writer(inner);
  WriteHead(response, inner_writer);
  std::string bytes;
  ProtoWriter writer(bytes);
  writer.Bytes(kErrorMessage, error_message);
  writer.Bytes(kInferResponse, inner);
  return {Buffer::FromString(std::move(bytes))};
}

}  // namespace headrace::protocol

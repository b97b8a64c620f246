// The outputs of v2 answers.
#include <cstring>
#include <utility>

#include "base/checked_math.h"
#include "load/element_bytes.h"
#include "load/golden.h"
#include "load/input_signature.h"
#include "load/json_document.h"
#include "protocol/proto_reader.h"

namespace headrace::load {
namespace {

constexpr std::size_t kOutputCountMax = 1024;
constexpr std::size_t kNameByteSizeMax = 4096;
constexpr std::size_t kRankMax = 64;

Result<std::vector<std::int64_t>> ReadShape(JsonElement output) {
  std::vector<std::int64_t> shape;
  const auto list = ArrayMember(output, "shape");
  if (!list) {
    return InvalidArgument("the answer's output '{}' has no shape", StringMember(output, "name"));
  }
  for (const JsonElement dim : *list) {
    std::int64_t value = 0;
    if (dim.get(value) != simdjson::SUCCESS || value < 0 || shape.size() == kRankMax) {
      return InvalidArgument("the answer's output '{}' has a shape that is none",
                             StringMember(output, "name"));
    }
    shape.push_back(value);
  }
  return shape;
}

// Whether the elements are as many as the shape says.
Status Check(const TensorContent& output) {
  const auto wanted = ElementCount(output.shape);
  const auto count = CountElements(output.data_type, *output.bytes);
  if (!wanted || !count || static_cast<std::uint64_t>(*wanted) != *count) {
    return InvalidArgument("the answer's output '{}' {} {} does not have the {} bytes that came",
                           output.name, DataTypeName(output.data_type), DimsText(output.shape),
                           output.bytes->size());
  }
  return OkStatus();
}

// One output; takes its binary bytes from the front of `binary`. In shared memory: nothing.
Result<std::optional<TensorContent>> ReadOutput(JsonElement element, std::string_view& binary) {
  TensorContent output;
  output.name = StringMember(element, "name");
  output.data_type = DataTypeFromName(StringMember(element, "datatype"));
  if (output.name.empty() || output.data_type == DataType::kInvalid) {
    return InvalidArgument("the answer's output '{}' has no name, or no datatype that is known",
                           output.name);
  }
  HEADRACE_ASSIGN_OR_RETURN(output.shape, ReadShape(element));
  std::string bytes;
  const auto parameters = Member(element, "parameters");
  if (parameters && Member(*parameters, "binary_data_size")) {
    const std::uint64_t size = UintMember(*parameters, "binary_data_size", UINT64_MAX);
    if (size > binary.size()) {
      return InvalidArgument("the answer's output '{}' has {} of its {} binary bytes", output.name,
                             binary.size(), size);
    }
    bytes = binary.substr(0, size);
    binary.remove_prefix(size);
  } else if (const auto data = Member(element, "data")) {
    HEADRACE_RETURN_IF_ERROR(
        PackJson(*data, output.data_type, "the answer's output '" + output.name + "'", bytes));
  } else {
    return std::optional<TensorContent>();
  }
  output.bytes = std::make_shared<const std::string>(std::move(bytes));
  HEADRACE_RETURN_IF_ERROR(Check(output));
  return std::optional(std::move(output));
}

Status Malformed(const protocol::ProtoReader& reader) {
  return InvalidArgument("the answer is no ModelInferResponse: {}",
                         reader.error() == nullptr ? "a field has another type" : reader.error());
}

// InferOutputTensor without contents.
Result<TensorContent> ReadTensor(protocol::ProtoReader& reader) {
  TensorContent output;
  std::string text;
  const auto add = [&](std::uint64_t dim) {
    return output.shape.size() < kRankMax &&
           (output.shape.push_back(static_cast<std::int64_t>(dim)), true);
  };
  while (reader.Next()) {
    std::uint64_t dim = 0;
    protocol::ProtoReader packed;
    if (reader.field() == 1) {
      reader.ReadString(output.name, kNameByteSizeMax);
    } else if (reader.field() == 2 && reader.ReadString(text, kNameByteSizeMax)) {
      output.data_type = DataTypeFromName(text);
    } else if (reader.field() == 3 && reader.type() == protocol::ProtoType::kBytes) {
      if (reader.ReadMessage(packed)) {
        while (!packed.at_end() && packed.BareVarint(dim)) {
          if (!add(dim)) {
            return InvalidArgument("the answer's output '{}' has too many dimensions", output.name);
          }
        }
        if (!packed.ok()) {
          return Malformed(packed);
        }
      }
    } else if (reader.field() == 3) {
      if (reader.ReadVarint(dim) && !add(dim)) {
        return InvalidArgument("the answer's output '{}' has too many dimensions", output.name);
      }
    } else if (reader.ok()) {
      reader.Skip();
    }
  }
  if (!reader.ok() || output.data_type == DataType::kInvalid) {
    return Malformed(reader);
  }
  return output;
}

}  // namespace

Result<std::vector<TensorContent>> ReadHttpAnswer(std::string_view body,
                                                  std::optional<std::uint64_t> json_byte_size) {
  const std::uint64_t json_size = json_byte_size.value_or(body.size());
  if (json_size > body.size()) {
    return InvalidArgument("Inference-Header-Content-Length is {}, and the answer has {} bytes",
                           json_size, body.size());
  }
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document,
                            JsonDocument::Parse(body.substr(0, json_size), "the answer"));
  const auto list = ArrayMember(document.root(), "outputs");
  if (!list || list->size() > kOutputCountMax) {
    return InvalidArgument("the answer has no list of outputs");
  }
  std::string_view binary = body.substr(json_size);
  std::vector<TensorContent> outputs;
  for (const JsonElement element : *list) {
    HEADRACE_ASSIGN_OR_RETURN(auto output, ReadOutput(element, binary));
    if (output) {
      outputs.push_back(*std::move(output));
    }
  }
  if (!binary.empty()) {
    return InvalidArgument("{} bytes follow the answer's outputs", binary.size());
  }
  return outputs;
}

Result<std::vector<TensorContent>> ReadGrpcAnswer(std::string_view message) {
  const Buffer buffer = Buffer::Unowned(message);
  protocol::ProtoReader reader(std::span(&buffer, 1));
  std::vector<TensorContent> outputs;
  std::vector<std::string> contents;
  while (reader.Next()) {
    protocol::ProtoReader inner;
    if (reader.field() == 5 && reader.ReadMessage(inner)) {
      HEADRACE_ASSIGN_OR_RETURN(TensorContent output, ReadTensor(inner));
      outputs.push_back(std::move(output));
    } else if (reader.ok() && reader.field() == 6) {
      reader.ReadBytes(contents.emplace_back(), message.size());
    } else if (reader.ok()) {
      reader.Skip();
    }
    if (outputs.size() > kOutputCountMax || contents.size() > kOutputCountMax) {
      return InvalidArgument("the answer has more than {} outputs", kOutputCountMax);
    }
  }
  if (!reader.ok()) {
    return Malformed(reader);
  }
  if (contents.size() != outputs.size()) {
    return InvalidArgument("the answer has {} outputs and {} raw contents", outputs.size(),
                           contents.size());
  }
  std::vector<TensorContent> present;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    // Empty where the output is in shared memory.
    if (contents[i].empty() && ElementCount(outputs[i].shape).value_or(1) != 0) {
      continue;
    }
    outputs[i].bytes = std::make_shared<const std::string>(std::move(contents[i]));
    HEADRACE_RETURN_IF_ERROR(Check(outputs[i]));
    present.push_back(std::move(outputs[i]));
  }
  return present;
}

}  // namespace headrace::load

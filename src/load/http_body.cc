#include "load/http_body.h"

#include <utility>

#include "protocol/json_writer.h"
#include "protocol/v2_response_json.h"
#include "tensor/tensor.h"

namespace headrace::load {
namespace {

using protocol::JsonWriter;

constexpr std::string_view kJsonType = "application/json";

void AddField(RequestField::Kind kind, std::size_t offset, HttpBody& body) {
  body.fields.push_back({kind, offset});
}

// The elements [begin, end) along the first dimension (all of them for rank 0) as one flat list.
Status WriteData(const TensorContent& input, std::string_view bytes,
                 const std::vector<std::int64_t>& shape, std::string& out) {
  if (shape.size() > Shape::kRankMax) {
    return InvalidArgument("input '{}': {} dimensions, at most {} can be sent", input.name,
                           shape.size(), Shape::kRankMax);
  }
  Tensor tensor;
  tensor.dtype = input.data_type;
  tensor.shape = Shape(shape);
  tensor.data = Buffer::Unowned(bytes);
  protocol::V2OutputTensor view;
  view.name = input.name;
  view.tensor = &tensor;
  const Status status = protocol::WriteTensorData(view, out);
  return status.ok() ? OkStatus()
                     : InvalidArgument("input '{}' as JSON: {}; binary tensors carry it",
                                       input.name, status.message());
}

Status CheckInput(const TensorContent& input) {
  if (input.bytes == nullptr) {
    return InvalidArgument("input '{}' has no data", input.name);
  }
  return OkStatus();
}

// Everything up to the inputs: ids and parameters. Fields come first, so that what follows can be
// shared by all requests.
void WriteParameters(const TargetSpec& target, const Item& item, HttpBody& body) {
  std::string& out = body.start;
  out += '{';
  if (target.request_ids) {
    out += "\"id\":\"";
    AddField(RequestField::Kind::kRequestId, out.size(), body);
    out += std::string(16, '0') + "\",";
  }
  std::string members;
  if (item.sequences.concurrent > 0) {
    out += "\"parameters\":{\"sequence_id\":";
    AddField(RequestField::Kind::kSequenceId, out.size(), body);
    out += std::string(20, ' ') + ",\"sequence_start\":";
    AddField(RequestField::Kind::kSequenceStart, out.size(), body);
    out += "false,\"sequence_end\":";
    AddField(RequestField::Kind::kSequenceEnd, out.size(), body);
    out += "false";
    members = ",";
  } else {
    members = "\"parameters\":{";
  }
  const std::size_t empty = members.size();
  const auto add = [&](std::string_view name, std::string_view json) {
    if (members.size() > empty) {
      members += ',';
    }
    JsonWriter(members).String(name);
    members += ':';
    members += json;
  };
  if (item.priority != 0) {
    add("priority", std::to_string(item.priority));
  }
  if (item.timeout_us != 0) {
    add("timeout", std::to_string(item.timeout_us));
  }
  if (target.binary_output && item.outputs.empty()) {
    add("binary_data_output", "true");
  }
  for (const auto& [name, json] : item.parameters) {
    add(name, json);
  }
  if (members.size() > empty) {
    body.rest += members;
    body.rest += "},";
  } else if (item.sequences.concurrent > 0) {
    body.rest += "},";
  }
}

void WriteOutputs(const TargetSpec& target, const Item& item, std::string& out) {
  if (item.outputs.empty()) {
    return;
  }
  out += ",\"outputs\":";
  JsonWriter json(out);
  json.BeginArray();
  for (const std::string& name : item.outputs) {
    json.BeginObject().Key("name").String(name);
    if (target.binary_output) {
      json.Key("parameters").BeginObject().Key("binary_data").Bool(true).EndObject();
    }
    json.EndObject();
  }
  json.EndArray();
}

// The JSON value of one instance's share of a tensor, nested as `shape` says.
Status WriteNested(const TensorContent& input, std::string_view bytes,
                   std::span<const std::int64_t> shape, std::string& out) {
  if (shape.size() <= 1) {
    std::string list;
    HEADRACE_RETURN_IF_ERROR(
        WriteData(input, bytes, std::vector<std::int64_t>(shape.begin(), shape.end()), list));
    // A scalar has no list around it.
    out +=
        shape.empty() ? std::string_view(list).substr(1, list.size() - 2) : std::string_view(list);
    return OkStatus();
  }
  const auto rows = static_cast<std::size_t>(shape.front());
  const std::size_t row_byte_size = rows == 0 ? 0 : bytes.size() / rows;
  out += '[';
  for (std::size_t row = 0; row < rows; ++row) {
    out += row == 0 ? "" : ",";
    HEADRACE_RETURN_IF_ERROR(WriteNested(input, bytes.substr(row * row_byte_size, row_byte_size),
                                         shape.subspan(1), out));
  }
  out += ']';
  return OkStatus();
}

}  // namespace

std::size_t HttpBody::byte_size() const {
  std::size_t size = start.size() + rest.size();
  for (const auto& bytes : payload) {
    size += bytes->size();
  }
  return size;
}

Result<HttpBody> V2Body(const TargetSpec& target, const Item& item, const Content& content) {
  HttpBody body;
  body.content_type = target.binary_input ? "application/octet-stream" : std::string(kJsonType);
  WriteParameters(target, item, body);
  std::string& out = body.rest;
  out += "\"inputs\":[";
  for (std::size_t i = 0; i < content.inputs.size(); ++i) {
    const TensorContent& input = content.inputs[i];
    HEADRACE_RETURN_IF_ERROR(CheckInput(input));
    out += i == 0 ? "" : ",";
    JsonWriter json(out);
    json.BeginObject().Key("name").String(input.name).Key("shape").BeginArray();
    for (const std::int64_t dimension : input.shape) {
      json.Int(dimension);
    }
    json.EndArray().Key("datatype").String(DataTypeName(input.data_type));
    if (target.binary_input) {
      json.Key("parameters").BeginObject().Key("binary_data_size").Uint(input.bytes->size());
      json.EndObject();
      body.payload.push_back(input.bytes);
    } else {
      json.Key("data");
      HEADRACE_RETURN_IF_ERROR(WriteData(input, *input.bytes, input.shape, out));
    }
    json.EndObject();
  }
  out += ']';
  WriteOutputs(target, item, out);
  out += '}';
  if (target.binary_input) {
    body.json_byte_size = body.start.size() + body.rest.size();
  }
  return body;
}

Result<HttpBody> V1Body(const Content& content) {
  HttpBody body;
  body.content_type = content.content_type.empty() ? kJsonType : content.content_type;
  if (content.body != nullptr) {
    body.payload.push_back(content.body);
    return body;
  }
  if (content.inputs.empty()) {
    return InvalidArgument("there is neither a body nor a tensor to send");
  }
  std::size_t instance_count = 0;
  for (const TensorContent& input : content.inputs) {
    HEADRACE_RETURN_IF_ERROR(CheckInput(input));
    const auto rows = static_cast<std::size_t>(input.shape.empty() ? 0 : input.shape.front());
    instance_count = instance_count == 0 ? rows : instance_count;
    if (rows == 0 || rows != instance_count) {
      return InvalidArgument("input '{}': the first dimension, which counts instances, is {}",
                             input.name, rows);
    }
    if (input.data_type == DataType::kBytes) {
      return InvalidArgument("input '{}': BYTES tensors are not made into instances; give a body",
                             input.name);
    }
  }
  std::string& out = body.start;
  out += "{\"instances\":[";
  const bool named = content.inputs.size() > 1;
  for (std::size_t instance = 0; instance < instance_count; ++instance) {
    out += instance == 0 ? "" : ",";
    out += named ? "{" : "";
    for (std::size_t i = 0; i < content.inputs.size(); ++i) {
      const TensorContent& input = content.inputs[i];
      if (named) {
        out += i == 0 ? "" : ",";
        JsonWriter(out).String(input.name);
        out += ':';
      }
      const std::size_t byte_size = input.bytes->size() / instance_count;
      HEADRACE_RETURN_IF_ERROR(
          WriteNested(input, std::string_view(*input.bytes).substr(instance * byte_size, byte_size),
                      std::span(input.shape).subspan(1), out));
    }
    out += named ? "}" : "";
  }
  out += "]}";
  return body;
}

}  // namespace headrace::load

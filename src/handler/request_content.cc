#include "handler/request_content.h"

#include <simdjson.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace headrace::handler {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kDepthMax = 64;

template <typename Value>
const Value* FindParameter(const engine::InferRequest& request, std::string_view name) {
  for (const Parameter& parameter : request.parameters) {
    if (parameter.name == name) {
      return std::get_if<Value>(&parameter.value);
    }
  }
  return nullptr;
}

// All of the one input, in one piece.
Result<Buffer> DataOf(const engine::InferRequest& request) {
  const Tensor& tensor = request.inputs.front().tensor;
  if (tensor.memory_kind == MemoryKind::kGpu) {
    return InvalidArgument("'data' lies in GPU memory; native handlers read host memory");
  }
  if (request.batch_size != 1) {
    return InvalidArgument(
        "'data' has {} rows; a request to a handler has one, whose bytes are one document",
        request.batch_size);
  }
  if (tensor.more_fragments.empty()) {
    return tensor.data;
  }
  std::string joined;
  joined.reserve(tensor.byte_size());
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    joined.append(tensor.fragment(i).view());
  }
  return Buffer::FromString(std::move(joined));
}

// What Python takes for false.
bool IsEmptyJson(const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::NULL_VALUE:
      return true;
    case dom::element_type::BOOL:
      return !bool(value);
    case dom::element_type::STRING:
      return std::string_view(value).empty();
    case dom::element_type::ARRAY:
      return dom::array(value).begin() == dom::array(value).end();
    case dom::element_type::OBJECT:
      return dom::object(value).begin() == dom::object(value).end();
    default:
      return double(value) == 0;
  }
}

// Decodes one part; nothing: it is empty, as if it were not there.
std::optional<RequestContent> Decoded(Buffer bytes, std::string_view type, bool decode) {
  using Kind = RequestContent::Kind;
  if (decode && type == "application/json") {
    dom::parser parser;
    dom::element value;
    if (parser.allocate(bytes.size(), kDepthMax) == simdjson::SUCCESS &&
        parser.parse(bytes.view().data(), bytes.size()).get(value) == simdjson::SUCCESS) {
      if (IsEmptyJson(value)) {
        return std::nullopt;
      }
      if (std::string_view text; value.get(text) == simdjson::SUCCESS) {
        return RequestContent{Kind::kText, Buffer::CopyOf(text)};
      }
      return RequestContent{Kind::kJson, std::move(bytes)};
    }
  }
  if (bytes.empty()) {
    return std::nullopt;
  }
  if (decode && type.starts_with("text") &&
      simdjson::validate_utf8(bytes.view().data(), bytes.size())) {
    return RequestContent{Kind::kText, std::move(bytes)};
  }
  return RequestContent{Kind::kBytes, std::move(bytes)};
}

struct Part {
  std::string type;
  std::uint64_t offset = 0, byte_size = 0;
};

// The last part of that name in what the front end says of the parts.
std::optional<Part> FindPart(dom::array parts, std::string_view name) {
  std::optional<Part> found;
  for (const dom::element element : parts) {
    std::string_view part_name, type;
    Part part;
    if (element["name"].get(part_name) == simdjson::SUCCESS && part_name == name &&
        element["offset"].get(part.offset) == simdjson::SUCCESS &&
        element["size"].get(part.byte_size) == simdjson::SUCCESS) {
      if (element["type"].get(type) == simdjson::SUCCESS) {
        part.type = type;
      }
      found = std::move(part);
    }
  }
  return found;
}

}  // namespace

Result<RequestContent> ContentOf(const engine::InferRequest& request, bool decode) {
  const bool* const explain = FindParameter<bool>(request, "explain");
  if (explain != nullptr && *explain) {
    return InvalidArgument(
        "this model's handler is native and cannot explain its answers; let a Python worker serve "
        "it ('native: false' in model-config.yaml)");
  }
  HEADRACE_ASSIGN_OR_RETURN(const Buffer data, DataOf(request));
  const std::string* const parts_json = FindParameter<std::string>(request, "parts");
  if (parts_json == nullptr) {
    if (auto content = Decoded(data, "", decode)) {
      return *std::move(content);
    }
    return InvalidArgument("the request is empty");
  }
  dom::parser parser;
  dom::array parts;
  if (parser.parse(*parts_json).get(parts) != simdjson::SUCCESS) {
    return InvalidArgument("the parameter 'parts' is no JSON list");
  }
  for (const std::string_view name : {"data", "body"}) {
    const auto part = FindPart(parts, name);
    if (!part) {
      continue;
    }
    if (part->offset > data.size() || part->byte_size > data.size() - part->offset) {
      return InvalidArgument("the parameter 'parts': the part '{}' lies outside of 'data'", name);
    }
    if (auto content = Decoded(data.Slice(part->offset, part->byte_size), part->type, decode)) {
      return *std::move(content);
    }
  }
  return InvalidArgument("the request has no part 'data' or 'body' that is not empty");
}

}  // namespace headrace::handler

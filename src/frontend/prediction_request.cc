#include "frontend/prediction_request.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <random>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "protocol/json_writer.h"
#include "protocol/multipart.h"
#include "protocol/urlencoded.h"

namespace headrace::frontend {
namespace {

using protocol::FormPart;
using protocol::JsonWriter;

constexpr std::size_t kRequestIdByteSizeMax = 128;

struct Content {
  Buffer data;
  std::vector<FormPart> parts;
};

Result<Content> ContentOf(const net::HttpExchange& exchange) {
  const Buffer& body = exchange.body();
  const std::string_view header = exchange.head().Header("Content-Type").value_or("");
  const std::string_view type = protocol::MediaType(header);
  if (EqualsIgnoringCase(type, "multipart/form-data")) {
    if (const auto boundary = protocol::MultipartBoundary(header)) {
      HEADRACE_ASSIGN_OR_RETURN(auto parts, protocol::ParseMultipart(body.view(), *boundary));
      return Content{body, std::move(parts)};
    }
  } else if (EqualsIgnoringCase(type, "application/x-www-form-urlencoded")) {
    HEADRACE_ASSIGN_OR_RETURN(auto form, protocol::ParseUrlencoded(body.view()));
    return Content{Buffer::FromString(std::move(form.values)), std::move(form.parts)};
  }
  Content content{body, {}};
  content.parts.push_back(
      {.name = "body", .type = std::string(type), .offset = 0, .byte_size = body.size()});
  return content;
}

// TorchServe's order: those of the query come first, so that of equal names the form's counts.
void AddInputs(const std::vector<std::pair<std::string, std::string>>& inputs, Content& content) {
  std::string bytes(content.data.view());
  std::vector<FormPart> parts;
  for (const auto& [name, value] : inputs) {
    parts.push_back({.name = name, .type = {}, .offset = bytes.size(), .byte_size = value.size()});
    bytes.append(value);
  }
  content.parts.insert(content.parts.begin(), std::make_move_iterator(parts.begin()),
                       std::make_move_iterator(parts.end()));
  content.data = Buffer::FromString(std::move(bytes));
}

std::string PartsJson(const std::vector<FormPart>& parts) {
  std::string text;
  JsonWriter json(text);
  json.BeginArray();
  for (const FormPart& part : parts) {
    json.BeginObject();
    json.Key("name").String(part.name).Key("type").String(part.type);
    json.Key("offset").Uint(part.offset).Key("size").Uint(part.byte_size).EndObject();
  }
  json.EndArray();
  return text;
}

// Of headers that came several times the last one counts, as in TorchServe: it comes last here,
// too.
using Headers = std::vector<std::pair<std::string_view, std::string_view>>;
std::string HeadersJson(const Headers& headers, const PredictionPlan& plan) {
  std::string text;
  text.reserve(256);
  JsonWriter json(text);
  json.BeginObject();
  for (const auto& [name, value] : headers) {
    json.Key(name).String(value);
  }
  for (const auto& [name, value] : plan.headers) {
    json.Key(name).String(value);
  }
  json.EndObject();
  return text;
}

protocol::V2InferRequest RequestOf(PredictionContent content, const Headers& headers,
                                   PredictionPlan plan, std::string request_id) {
  protocol::V2InferRequest request;
  request.id = std::move(request_id);
  request.priority = plan.priority;
  NamedTensor& input = request.inputs.emplace_back();
  input.name = "data";
  input.tensor = std::move(content.data);
  input.tensor.dtype = DataType::kUint8;
  input.tensor.shape = Shape({1, static_cast<std::int64_t>(input.tensor.byte_size())});
  request.parameters.push_back({"parts", PartsJson(content.parts)});
  request.parameters.push_back({"headers", HeadersJson(headers, plan)});
  request.correlation_id_text = std::move(plan.sequence_id);
  request.parameters.push_back({"request_id", std::move(plan.handler_id)});
  return request;
}

}  // namespace

Result<protocol::V2InferRequest> BuildPrediction(const net::HttpExchange& exchange,
                                                 const PredictionTarget& target,
                                                 PredictionPlan plan, std::string request_id) {
  HEADRACE_ASSIGN_OR_RETURN(Content content, ContentOf(exchange));
  if (!target.query_inputs.empty()) {
    AddInputs(target.query_inputs, content);
  }
  Tensor data;
  data.data = std::move(content.data);
  protocol::V2InferRequest request =
      RequestOf({std::move(data), std::move(content.parts)}, exchange.head().headers,
                std::move(plan), std::move(request_id));
  if (target.url_path) {
    request.parameters.push_back({"path", *target.url_path});
  }
  if (target.explain) {
    request.parameters.push_back({"explain", *target.explain});
  }
  return request;
}

protocol::V2InferRequest BuildPrediction(PredictionContent content, PredictionPlan plan,
                                         std::string request_id) {
  return RequestOf(std::move(content), {}, std::move(plan), std::move(request_id));
}

std::string RequestIdOf(const net::HttpRequestHead& head) {
  if (const auto given = head.Header("x-request-id")) {
    const bool good = !given->empty() && given->size() <= kRequestIdByteSizeMax &&
                      std::all_of(given->begin(), given->end(),
                                  [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (good) {
      return std::string(*given);
    }
  }
  return NewRequestId();
}

std::string NewRequestId() {
  thread_local std::mt19937_64 generator{std::random_device()()};
  const std::uint64_t high = generator(), low = generator();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff,
                     high & 0xfff, (low >> 48 & 0x3fff) | 0x8000, low & 0xffffffffffff);
}

}  // namespace headrace::frontend

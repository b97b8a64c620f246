#include "frontend/prediction_answer.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/ascii.h"

namespace headrace::frontend {
namespace {

constexpr std::size_t kHeaderNameByteSizeMax = 255;
constexpr std::size_t kHeaderByteSizeMax = 8192;    // of one
constexpr std::size_t kHeadersByteSizeMax = 65536;  // of all

// Written by the server, whatever a handler sets.
constexpr std::array<std::string_view, 9> kOwnHeaders = {
    "x-request-id", "pragma",         "cache-control",     "expires", "connection",
    "keep-alive",   "content-length", "transfer-encoding", "upgrade"};

const std::string* TextParameter(const std::vector<Parameter>& parameters, std::string_view name) {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == name) {
      return std::get_if<std::string>(&parameter.value);
    }
  }
  return nullptr;
}

bool IsFieldValue(std::string_view text) {
  return text.size() <= kHeaderByteSizeMax && std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
         });
}

bool IsFieldName(std::string_view text) {
  return text.size() <= kHeaderNameByteSizeMax && IsHeaderName(text);
}

bool IsOwn(std::string_view name) {
  return std::any_of(kOwnHeaders.begin(), kOwnHeaders.end(),
                     [&](std::string_view own) { return EqualsIgnoringCase(own, name); });
}

void AppendHeaders(const std::string& json, std::string& lines) {
  simdjson::dom::parser parser;
  simdjson::dom::object headers;
  if (parser.parse(json).get(headers) != simdjson::SUCCESS) {
    return;
  }
  for (const auto [name, element] : headers) {
    std::string_view value;
    if (element.get(value) == simdjson::SUCCESS && IsFieldName(name) && IsFieldValue(value) &&
        !IsOwn(name) && lines.size() + name.size() + value.size() < kHeadersByteSizeMax) {
      lines.append(name).append(": ").append(value).append("\r\n");
    }
  }
}

}  // namespace

std::string PredictionHeaders(std::string_view request_id) {
  std::string lines;
  lines.reserve(256);
  lines.append("x-request-id: ").append(request_id);
  lines.append(
      "\r\nPragma: no-cache\r\n"
      "Cache-Control: no-cache; no-store, must-revalidate, private\r\n"
      "Expires: Thu, 01 Jan 1970 00:00:00 UTC\r\n");
  return lines;
}

int StatusParameter(const std::vector<Parameter>& parameters) {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == "status") {
      const std::int64_t* const value = std::get_if<std::int64_t>(&parameter.value);
      return value != nullptr && *value >= 200 && *value <= 599 ? static_cast<int>(*value) : 500;
    }
  }
  return 0;
}

std::vector<Buffer> PredictionBody(const engine::InferResponse& response) {
  std::vector<Buffer> body;
  for (const NamedTensor& output : response.outputs) {
    if (output.name == "body") {
      for (std::size_t i = 0; i < output.tensor.fragment_count(); ++i) {
        body.push_back(output.tensor.fragment(i));
      }
    }
  }
  return body;
}

net::HttpResponse BuildPredictionAnswer(const engine::InferResponse& response,
                                        std::string_view request_id) {
  net::HttpResponse answer;
  answer.content_type = {};
  answer.extra_headers = PredictionHeaders(request_id);
  if (const int status = StatusParameter(response.parameters); status != 0) {
    answer.status = status;
  }
  if (const std::string* phrase = TextParameter(response.parameters, "phrase");
      phrase != nullptr && IsFieldValue(*phrase)) {
    answer.reason = *phrase;
  }
  if (const std::string* type = TextParameter(response.parameters, "content_type");
      type != nullptr && !type->empty() && IsFieldValue(*type)) {
    answer.extra_headers.append("Content-Type: ").append(*type).append("\r\n");
  }
  if (const std::string* headers = TextParameter(response.parameters, "headers")) {
    AppendHeaders(*headers, answer.extra_headers);
  }
  answer.body = PredictionBody(response);
  return answer;
}

}  // namespace headrace::frontend

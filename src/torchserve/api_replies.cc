#include "torchserve/api_replies.h"

#include <cstddef>
#include <utility>

#include "frontend/failure_budget.h"
#include "frontend/prediction_answer.h"
#include "frontend/prediction_request.h"
#include "frontend/replies.h"
#include "protocol/json_writer.h"

namespace headrace::torchserve {
namespace {

void BreakLine(std::string& out, std::size_t depth) {
  out.push_back('\n');
  out.append(2 * depth, ' ');
}

// Behind the string that begins at `at`.
std::size_t EndOfString(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    at += json[at] == '\\' ? 1 : 0;
  }
  return at + 1;
}

}  // namespace

std::string Indented(std::string_view json) {
  std::string out;
  out.reserve(json.size() * 2);
  std::size_t depth = 0;
  for (std::size_t i = 0; i < json.size();) {
    const char c = json[i];
    const bool opens = c == '{' || c == '[';
    if (c == '"') {
      const std::size_t end = EndOfString(json, i);
      out.append(json.substr(i, end - i));
      i = end;
      continue;
    }
    if (opens && i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']')) {
      out.append(json.substr(i, 2));
      i += 2;
      continue;
    }
    if (c == '}' || c == ']') {
      BreakLine(out, --depth);
    }
    if (c != ' ' && c != '\n') {
      out.push_back(c);
    }
    if (opens) {
      BreakLine(out, ++depth);
    } else if (c == ',') {
      BreakLine(out, depth);
    } else if (c == ':') {
      out.push_back(' ');
    }
    ++i;
  }
  out.push_back('\n');
  return out;
}

void ReplyJson(net::HttpExchange& exchange, int status, std::string_view json) {
  net::HttpResponse response;
  response.status = status;
  response.content_type = frontend::kJsonType;
  response.body.push_back(Buffer::FromString(Indented(json)));
  exchange.Respond(std::move(response));
}

void ReplyStatus(net::HttpExchange& exchange, int status, std::string_view text) {
  std::string json;
  protocol::JsonWriter(json).BeginObject().Key("status").String(text).EndObject();
  ReplyJson(exchange, status, json);
}

void ReplyError(net::HttpExchange& exchange, const frontend::TorchServeError& error) {
  frontend::Reply(exchange, frontend::RefusalOf(error));
}

void AddRequestHeaders(const ApiCall& call) {
  call.exchange->AddHeaders(
      frontend::PredictionHeaders(frontend::RequestIdOf(call.exchange->head())));
}

void RefuseRequest(const ApiCall& call, const frontend::TorchServeError& error) {
  AddRequestHeaders(call);
  ReplyError(*call.exchange, error);
}

frontend::TorchServeError ResourceNotFound() {
  return {.code = 404,
          .type = "ResourceNotFoundException",
          .message = "Requested resource is not found, please refer to API document."};
}

frontend::TorchServeError MethodNotAllowed() {
  return {.code = 405,
          .type = "MethodNotAllowedException",
          .message = "Requested method is not allowed, please refer to API document."};
}

frontend::TorchServeError TooManyFailures() {
  return {.code = 429,
          .type = "TooManyRequestsException",
          .message = std::string(frontend::kTooManyFailures)};
}

}  // namespace headrace::torchserve

#include "frontend/replies.h"

#include <utility>

#include "protocol/error.h"
#include "protocol/json_writer.h"

namespace headrace::frontend {

Refusal RefusalOf(const Status& status) {
  Refusal refusal{.status = protocol::HttpStatusOf(status.code()),
                  .json = protocol::ErrorJson(status.message()),
                  .headers = {}};
  if (refusal.status == 503) {
    refusal.headers = "Retry-After: 1\r\n";
  }
  return refusal;
}

Refusal NotFoundRefusal() {
  return {.status = 404, .json = R"({"error":"Not Found"})", .headers = {}};
}

Refusal MethodNotAllowedRefusal(std::string_view allow_header_line) {
  return {.status = 405,
          .json = R"({"error":"Method Not Allowed"})",
          .headers = std::string(allow_header_line)};
}

void Reply(net::HttpExchange& exchange, Refusal refusal) {
  net::HttpResponse response;
  response.status = refusal.status;
  response.content_type = kJsonType;
  response.extra_headers = std::move(refusal.headers);
  response.body.push_back(Buffer::FromString(std::move(refusal.json)));
  exchange.Respond(std::move(response));
}

void ReplyError(net::HttpExchange& exchange, const Status& status) {
  Reply(exchange, RefusalOf(status));
}

void ReplyJson(net::HttpExchange& exchange, std::string json) {
  net::HttpResponse response;
  response.content_type = kJsonType;
  response.body.push_back(Buffer::FromString(std::move(json)));
  exchange.Respond(std::move(response));
}

void ReplyStatusOnly(net::HttpExchange& exchange, int status, std::string_view content_type) {
  net::HttpResponse response;
  response.status = status;
  response.content_type = content_type;
  exchange.Respond(std::move(response));
}

}  // namespace headrace::frontend

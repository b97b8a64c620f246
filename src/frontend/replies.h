// Ready-made answers. All of them belong to the exchange's loop.
#ifndef HEADRACE_FRONTEND_REPLIES_H_
#define HEADRACE_FRONTEND_REPLIES_H_

#include <string>
#include <string_view>

#include "base/status.h"
#include "net/http.h"

namespace headrace::frontend {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kBinaryType = "application/octet-stream";
inline constexpr std::string_view kTextType = "text/plain";

// Why a request is not served: usable before its body was read, and after.
struct Refusal {
  int status = 400;
  std::string json;
  std::string headers;  // complete lines
};

// `{"error": message}` with the code's HTTP status; UNAVAILABLE carries Retry-After (reliability
// D22).
Refusal RefusalOf(const Status& status);
// 404 {"error":"Not Found"} and 405 {"error":"Method Not Allowed"}.
Refusal NotFoundRefusal();
Refusal MethodNotAllowedRefusal(std::string_view allow_header_line);

void Reply(net::HttpExchange& exchange, Refusal refusal);
void ReplyError(net::HttpExchange& exchange, const Status& status);
void ReplyJson(net::HttpExchange& exchange, std::string json);
// The status alone, as the health endpoints answer.
void ReplyStatusOnly(net::HttpExchange& exchange, int status, std::string_view content_type);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_REPLIES_H_

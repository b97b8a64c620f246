#include "frontend/torchserve_error.h"

#include <utility>

#include "protocol/json_writer.h"

namespace headrace::frontend {

Refusal RefusalOf(const TorchServeError& error) {
  Refusal refusal;
  refusal.status = error.code;
  refusal.json = fmt::format(
      "{{\n  \"code\": {},\n  \"type\": \"{}\",\n  \"message\": ", error.code, error.type);
  protocol::JsonWriter(refusal.json).String(error.message);
  refusal.json.append("\n}\n");
  if (error.code == 503 && error.type == "ServiceUnavailableException") {
    refusal.headers = "Retry-After: 1\r\n";
  }
  return refusal;
}

namespace {

// How the keeper of a worker tells of a request that was lost with it (worker/keeper_turn.cc).
constexpr std::string_view kWorkerEnded = "the worker ended";

bool IsWorkersEnd(const Status& status) {
  return status.code() == StatusCode::kDeadlineExceeded ||  // it was too slow, and was killed
         (status.code() == StatusCode::kUnavailable &&
          status.message().find(kWorkerEnded) != std::string::npos);
}

}  // namespace

TorchServeError ErrorOf(const Status& status, int http_status) {
  if (http_status != 0) {
    return {.code = http_status, .message = status.message()};
  }
  if (IsWorkersEnd(status)) {
    return {.code = 500, .message = "Worker died. " + status.message()};
  }
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange:
      return {.code = 400, .type = "BadRequestException", .message = status.message()};
    case StatusCode::kNotFound:
      return {.code = 404, .type = "ModelNotFoundException", .message = status.message()};
    case StatusCode::kUnavailable:
      return {.code = 503, .type = "ServiceUnavailableException", .message = status.message()};
    case StatusCode::kResourceExhausted:
      return {.code = 507, .message = status.message()};
    default:
      return {.code = 500, .message = status.message()};
  }
}

}  // namespace headrace::frontend

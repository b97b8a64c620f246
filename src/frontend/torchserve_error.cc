#include "frontend/torchserve_error.h"

#include <utility>

#include "engine/queue_core.h"
#include "protocol/json_writer.h"

namespace headrace::frontend {

Refusal RefusalOf(const TorchServeError& error) {
  Refusal refusal;
  refusal.status = error.code;
  refusal.json = fmt::format(
      "{{\n  \"code\": {},\n  \"type\": \"{}\",\n  \"message\": ", error.code, error.type);
  protocol::JsonWriter(refusal.json).String(error.message);
  refusal.json.append("\n}\n");
  if (error.code == 429 || (error.code == 503 && error.type == "ServiceUnavailableException")) {
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

TorchServeError UnavailableError(const Status& status, const engine::Model& model,
                                 std::string_view version) {
  if (IsWorkersEnd(status)) {
    return ErrorOf(status, 0);
  }
  TorchServeError error{.code = 503, .type = "ServiceUnavailableException"};
  // The quotation mark behind the version stands there in TorchServe's text.
  const std::string who = version.empty()
                              ? fmt::format("Model \"{}\"", model.name())
                              : fmt::format("Model \"{}\" Version {}\"", model.name(), version);
  const Status health = model.Health();
  if (status.message().ends_with(engine::kQueueFullText)) {
    error.message = fmt::format(
        "{} has no room for the request: its queue is full, {} requests wait in it. Retry later, "
        "or add workers (scale workers API), or raise its job queue size.",
        who, model.queue_depth());
  } else if (status.message() == engine::kWaitedTooLongText) {
    error.message = fmt::format(
        "{} has let the request wait for as long as it may (clientTimeoutInMills), and no worker "
        "was free for it.",
        who);
  } else if (model.instance_count() == 0 && model.options().may_have_no_instances) {
    error.message = fmt::format(
        "{} has no worker to serve inference request. Please use scale workers API to add workers. "
        "If this is a sequence inference, please check if it is closed, or expired; or exceeds "
        "maxSequenceJobQueueSize",
        who);
  } else if (!health.ok()) {
    error.message = fmt::format("{} has no worker that is ready: {}", who, health.message());
  } else if (status.message().ends_with(engine::kNoTicketText)) {
    error.message = fmt::format(
        "{} takes a request only while a worker is idle (useJobTicket), and none is. Retry later, "
        "or add workers (scale workers API).",
        who);
  } else {
    error.message = status.message();
  }
  return error;
}

}  // namespace headrace::frontend

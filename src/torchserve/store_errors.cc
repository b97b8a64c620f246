#include "torchserve/store_errors.h"

#include <utility>

#include "protocol/json_writer.h"
#include "torchserve/api_replies.h"

namespace headrace::torchserve {

using store::StoreFault;

frontend::TorchServeError ErrorOf(const store::StoreError& error) {
  const auto as = [&](int code, std::string_view type) {
    return frontend::TorchServeError{.code = code, .type = type, .message = error.message};
  };
  switch (error.fault) {
    case StoreFault::kBadRequest:
      return as(400, "BadRequestException");
    case StoreFault::kInvalidModel:
      return as(400, "InvalidModelException");
    case StoreFault::kModel:
      return as(400, "ModelException");
    case StoreFault::kDownload:
      return as(400, "DownloadArchiveException");
    case StoreFault::kVersionInUse:
      return as(403, "InvalidModelVersionException");
    case StoreFault::kModelNotFound:
      return as(404, "ModelNotFoundException");
    case StoreFault::kVersionNotFound:
      return as(404, "ModelVersionNotFoundException");
    case StoreFault::kWorkflowNotFound:
      return as(404, "WorkflowNotFoundException");
    case StoreFault::kTimeout:
      return as(408, "RequestTimeoutException");
    case StoreFault::kConflict:
      return as(409, "ConflictStatusException");
    case StoreFault::kUnavailable:
      return as(503, "ServiceUnavailableException");
    case StoreFault::kOutOfMemory:
      return as(507, "InternalServerException");
    case StoreFault::kNone:
    case StoreFault::kInternal:
      break;
  }
  return as(500, "InternalServerException");
}

int HttpStatusOf(store::Progress progress) {
  switch (progress) {
    case store::Progress::kDone:
      return 200;
    case store::Progress::kUnderWay:
      return 206;
    case store::Progress::kAccepted:
      return 202;
  }
  return 200;
}

std::string StatusJson(std::string_view text) {
  std::string json;
  protocol::JsonWriter(json).BeginObject().Key("status").String(text).EndObject();
  return Indented(json);
}

StoreAnswer AnswerOf(const store::StoreReply& reply) {
  if (!reply.error.ok()) {
    frontend::Refusal refusal = frontend::RefusalOf(ErrorOf(reply.error));
    return {refusal.status, std::move(refusal.json), std::move(refusal.headers)};
  }
  return {HttpStatusOf(reply.progress), StatusJson(reply.text), {}};
}

}  // namespace headrace::torchserve

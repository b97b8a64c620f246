#include "torchserve/grpc_errors.h"

#include <fmt/format.h>

#include "torchserve/store_errors.h"

namespace headrace::torchserve {
namespace {

constexpr std::string_view kHttp = "org.pytorch.serve.http.";
constexpr std::string_view kArchive = "org.pytorch.serve.archive.";
constexpr std::string_view kModel = "org.pytorch.serve.archive.model.";
constexpr std::string_view kWorkflow = "org.pytorch.serve.archive.workflow.";

// The package of a class in TorchServe.
std::string_view PackageOf(std::string_view type) {
  if (type == "ModelNotFoundException" || type == "ModelVersionNotFoundException" ||
      type == "InvalidModelException" || type == "ModelException") {
    return kModel;
  }
  if (type == "DownloadArchiveException") {
    return kArchive;
  }
  return type == "WorkflowNotFoundException" ? kWorkflow : kHttp;
}

Status WithClass(StatusCode code, std::string_view message, std::string_view type) {
  return Status(code, fmt::format("{}\n{}{}", message, PackageOf(type), type));
}

// The management service's own table: what the request did wrong is INVALID_ARGUMENT.
StatusCode ManagementCodeOf(int http_status) {
  switch (http_status) {
    case 404:
      return StatusCode::kNotFound;
    case 408:
      return StatusCode::kDeadlineExceeded;
    case 503:
      return StatusCode::kUnavailable;
    default:
      return http_status < 500 ? StatusCode::kInvalidArgument : StatusCode::kInternal;
  }
}

}  // namespace

StatusCode GrpcCodeOf(int http_status) {
  switch (http_status) {
    case 400:
      return StatusCode::kInvalidArgument;
    case 401:
      return StatusCode::kUnauthenticated;
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      return StatusCode::kNotFound;
    case 409:
      return StatusCode::kAborted;
    case 413:
    case 429:
      return StatusCode::kResourceExhausted;
    case 416:
      return StatusCode::kOutOfRange;
    case 499:
      return StatusCode::kCancelled;
    case 501:
      return StatusCode::kUnimplemented;
    case 503:
      return StatusCode::kUnavailable;
    case 504:
      return StatusCode::kDeadlineExceeded;
    default:
      break;
  }
  if (http_status >= 400 && http_status < 500) {
    return StatusCode::kFailedPrecondition;
  }
  return http_status >= 500 && http_status < 600 ? StatusCode::kInternal : StatusCode::kUnknown;
}

Status GrpcRefusal(const frontend::TorchServeError& error) {
  const StatusCode code = error.code == 503 ? StatusCode::kUnavailable : StatusCode::kInternal;
  return error.code == 400 ? GrpcBadPrediction(error.message)
                           : WithClass(code, error.message, error.type);
}

Status GrpcFailure(const frontend::TorchServeError& error) {
  return WithClass(GrpcCodeOf(error.code), error.message, "InternalServerException");
}

Status GrpcStoreError(const store::StoreError& error) {
  return GrpcManagementError(ErrorOf(error));
}

Status GrpcManagementError(const frontend::TorchServeError& error) {
  return WithClass(ManagementCodeOf(error.code), error.message, error.type);
}

Status GrpcBadPrediction(std::string_view message) {
  return Status(StatusCode::kInternal, fmt::format("{}\nBadRequestException.()", message));
}

Status GrpcBadRequest(std::string_view message) {
  return WithClass(StatusCode::kInvalidArgument, message, "BadRequestException");
}

}  // namespace headrace::torchserve

#include "plugin/values.h"

namespace headrace::plugin {
namespace {

TRITONSERVER_Error_Code CodeToTriton(StatusCode code) {
  switch (code) {
    case StatusCode::kCancelled:
      return TRITONSERVER_ERROR_CANCELLED;
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange:
      return TRITONSERVER_ERROR_INVALID_ARG;
    case StatusCode::kNotFound:
      return TRITONSERVER_ERROR_NOT_FOUND;
    case StatusCode::kAlreadyExists:
      return TRITONSERVER_ERROR_ALREADY_EXISTS;
    case StatusCode::kUnimplemented:
      return TRITONSERVER_ERROR_UNSUPPORTED;
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
    case StatusCode::kDeadlineExceeded:
      return TRITONSERVER_ERROR_UNAVAILABLE;
    case StatusCode::kUnknown:
      return TRITONSERVER_ERROR_UNKNOWN;
    default:
      return TRITONSERVER_ERROR_INTERNAL;
  }
}

StatusCode CodeFromTriton(TRITONSERVER_Error_Code code) {
  switch (code) {
    case TRITONSERVER_ERROR_INTERNAL:
      return StatusCode::kInternal;
    case TRITONSERVER_ERROR_NOT_FOUND:
      return StatusCode::kNotFound;
    case TRITONSERVER_ERROR_INVALID_ARG:
      return StatusCode::kInvalidArgument;
    case TRITONSERVER_ERROR_UNAVAILABLE:
      return StatusCode::kUnavailable;
    case TRITONSERVER_ERROR_UNSUPPORTED:
      return StatusCode::kUnimplemented;
    case TRITONSERVER_ERROR_ALREADY_EXISTS:
      return StatusCode::kAlreadyExists;
    case TRITONSERVER_ERROR_CANCELLED:
      return StatusCode::kCancelled;
    default:
      return StatusCode::kUnknown;
  }
}

}  // namespace

TRITONSERVER_Error* ToTriton(const Status& status) {
  return status.ok() ? nullptr
                     : new TRITONSERVER_Error{CodeToTriton(status.code()), status.message()};
}

Status FromTriton(TRITONSERVER_Error* error) {
  return error == nullptr ? OkStatus() : Status(CodeFromTriton(error->code), error->message);
}

Status TakeTriton(TRITONSERVER_Error* error) {
  Status status = FromTriton(error);
  delete error;
  return status;
}

TRITONSERVER_Error* RefuseCall(const char* text) { return ToTriton(InvalidArgument("{}", text)); }

}  // namespace headrace::plugin

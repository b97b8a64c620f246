// Why the model store, or a workflow, did not do what it was asked for.
#ifndef HEADRACE_STORE_STORE_ERROR_H_
#define HEADRACE_STORE_STORE_ERROR_H_

#include <cstdint>
#include <string>

namespace headrace::store {

// Each is one row of contracts, TorchServe 1.5 and 2.2 to 2.7; torchserve/store_errors.h says which
// HTTP status, type and gRPC code it has.
enum class StoreFault : std::uint8_t {
  kNone,
  kBadRequest,        // 400 BadRequestException: a parameter is missing or wrong
  kInvalidModel,      // 400 InvalidModelException: an archive that is none, or is refused (D7)
  kModel,             // 400 ModelException
  kDownload,          // 400 DownloadArchiveException
  kVersionInUse,      // 403 InvalidModelVersionException: the default version, while others remain
  kModelNotFound,     // 404 ModelNotFoundException; also of a source that is not allowed or missing
  kVersionNotFound,   // 404 ModelVersionNotFoundException
  kWorkflowNotFound,  // 404 WorkflowNotFoundException
  kTimeout,           // 408 RequestTimeoutException
  kConflict,          // 409 ConflictStatusException: it is registered already
  kInternal,          // 500 InternalServerException: workers did not start, a file cannot be kept
  kUnavailable,       // 503 ServiceUnavailableException: the server ends, or no worker is there
  kOutOfMemory,       // 507 InternalServerException: no memory for a worker
};

struct [[nodiscard]] StoreError {
  StoreFault fault = StoreFault::kNone;
  std::string message = {};

  bool ok() const { return fault == StoreFault::kNone; }
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_STORE_ERROR_H_

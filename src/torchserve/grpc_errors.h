// Errors as TorchServe tells them over gRPC: a code, and "<message>\n<class>" (contracts,
// TorchServe 4.3). Pure.
#ifndef HEADRACE_TORCHSERVE_GRPC_ERRORS_H_
#define HEADRACE_TORCHSERVE_GRPC_ERRORS_H_

#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/torchserve_error.h"
#include "store/store_error.h"

namespace headrace::torchserve {

// TorchServe's table from HTTP.
StatusCode GrpcCodeOf(int http_status);

// What the inference service says of a request that no worker has had. TorchServe says INTERNAL of
// all of them; that a model is not there for the moment is UNAVAILABLE here, so that clients try
// again (reliability D22).
Status GrpcRefusal(const frontend::TorchServeError& error);
// What it says of one that has failed in a worker.
Status GrpcFailure(const frontend::TorchServeError& error);
// What the management service says.
Status GrpcStoreError(const store::StoreError& error);
Status GrpcManagementError(const frontend::TorchServeError& error);

// A parameter that is missing or wrong, as each of the two services tells it.
Status GrpcBadPrediction(std::string_view message);
Status GrpcBadRequest(std::string_view message);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_GRPC_ERRORS_H_

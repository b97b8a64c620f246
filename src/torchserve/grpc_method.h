// Methods of TorchServe's gRPC services, and what their handlers get.
#ifndef HEADRACE_TORCHSERVE_GRPC_METHOD_H_
#define HEADRACE_TORCHSERVE_GRPC_METHOD_H_

#include <span>
#include <string_view>

#include "frontend/call.h"
#include "frontend/grpc_call.h"
#include "net/grpc.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {

// Lives for one message, on the call's loop. A handler that answers later keeps `call`.
struct GrpcApiCall {
  ApiServices& api;
  frontend::Services& services;
  frontend::LoopContext& loop;
  const net::GrpcCallRef& call;
  net::GrpcMessage message;
};

struct GrpcMethod {
  std::string_view path;  // "/package.Service/Method"
  Surface surface = Surface::kInference;
  bool takes_prediction = false;  // messages may be as large as max_request_size; else small
  bool streaming = false;         // each message of the client comes by itself
  bool changes_models = false;    // needs the model API
  // Answers its call now or later, exactly once, and does not block.
  void (*handler)(GrpcApiCall& call) = nullptr;
};

std::span<const GrpcMethod> GrpcInferenceMethods();      // grpc_inference.cc
std::span<const GrpcMethod> GrpcManagementMethods();     // grpc_management.cc
std::span<const GrpcMethod> GrpcOpenInferenceMethods();  // grpc_open_inference.cc

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_GRPC_METHOD_H_

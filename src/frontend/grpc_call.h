// One gRPC message on its way through a handler, and what handlers share.
#ifndef HEADRACE_FRONTEND_GRPC_CALL_H_
#define HEADRACE_FRONTEND_GRPC_CALL_H_

#include <string_view>
#include <utility>

#include "base/result.h"
#include "engine/registry.h"
#include "frontend/call.h"
#include "frontend/loop_contexts.h"
#include "net/grpc.h"

namespace headrace::frontend {

class GrpcHealth;

// Lives for one message, on the call's loop. A handler that answers later keeps `call`.
struct GrpcContext {
  Services& services;
  LoopContext& loop;
  GrpcHealth& health;
  const net::GrpcCallRef& call;
  net::GrpcMessage message;
};

// Sends one message and ends the call well.
void GrpcReply(net::GrpcCall& call, net::GrpcMessage message);

// The value of the first metadata field of that name (lower case); empty if there is none.
std::string_view MetadataValue(const net::GrpcRequestHead& head, std::string_view name);

// As FindModel of call.h; INVALID_ARGUMENT for a version that is no number (contracts, Triton 2.3).
Result<engine::ModelHandle> FindGrpcModel(std::string_view model, std::string_view version,
                                          const engine::RegistrySnapshot& snapshot);
Status CheckGrpcVersion(std::string_view version);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_CALL_H_

// What ModelInfer and ModelStreamInfer have in common: from the bytes of a request to one that can
// be submitted.
#ifndef HEADRACE_FRONTEND_GRPC_INFER_H_
#define HEADRACE_FRONTEND_GRPC_INFER_H_

#include <string>

#include "base/status.h"
#include "engine/model.h"
#include "frontend/grpc_call.h"
#include "frontend/infer_submit.h"
#include "protocol/v2_proto.h"

namespace headrace::frontend {

struct PreparedInfer {
  Status status;                   // why it is refused: counted already
  protocol::V2ProtoTarget target;  // as far as it could be read
  engine::ModelHandle model;       // null if it was not found
  protocol::V2ProtoRequest request;
  std::shared_ptr<engine::RequestTrace> trace;  // null for most
};

// Finds the model, reads the request, forwards metadata, fetches inputs from shared memory.
// `allow_decoupled` false: UNIMPLEMENTED for decoupled models (contracts, Triton 2.3).
PreparedInfer PrepareGrpcInfer(GrpcContext& context, bool allow_decoupled);

// Submits it. `plan` is what TakeReplyPlan made of the request, with its trace.
void SubmitGrpcInfer(const GrpcContext& context, PreparedInfer prepared,
                     std::vector<std::string> wanted_outputs,
                     std::unique_ptr<engine::ResponseSink> sink);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_INFER_H_

// What the senders of a run over gRPC share: where to, and everything that is encoded before.
#ifndef HEADRACE_LOAD_GRPC_PLAN_H_
#define HEADRACE_LOAD_GRPC_PLAN_H_

#include <memory>
#include <vector>

#include "base/result.h"
#include "load/grpc_call_fields.h"
#include "load/h2_endpoint.h"
#include "load/infer_message.h"
#include "load/shared_memory.h"
#include "load/target.h"
#include "load/workload.h"

namespace headrace::load {

// Immutable; lives as long as its transports.
struct GrpcPlan {
  // Resolves, reads certificates, encodes. `shared_memory` may be null. Failures as those of
  // MakeGrpcTransportFactory.
  static Result<std::unique_ptr<const GrpcPlan>> Make(const TargetSpec& target,
                                                      const Workload& workload,
                                                      std::unique_ptr<SharedMemory> shared_memory);

  GrpcPlan(const TargetSpec& spec, const Workload& work);

  const TargetSpec target;
  const Workload& workload;
  H2Endpoint endpoint;
  const GrpcCallFields fields;
  net::GrpcEncoding encoding = net::GrpcEncoding::kIdentity;
  std::unique_ptr<SharedMemory> shared_memory;
  std::vector<std::vector<InferMessage>> messages;  // by item and content
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_PLAN_H_

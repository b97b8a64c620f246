#include "load/grpc_plan.h"

#include <utility>

#include "base/ascii.h"

namespace headrace::load {
namespace {

// Fields that are ours to write, or that HTTP/2 forbids.
bool IsReserved(std::string_view name) {
  return name.starts_with(":") || name == "te" || name == "content-type" || name == "host" ||
         name == "connection" || name == "content-length" || name == "transfer-encoding" ||
         name == "grpc-timeout" || name == "grpc-encoding" || name == "grpc-accept-encoding";
}

}  // namespace

GrpcPlan::GrpcPlan(const TargetSpec& spec, const Workload& work)
    : target(spec),
      workload(work),
      fields(target,
             target.streaming ? "/inference.GRPCInferenceService/ModelStreamInfer"
                              : "/inference.GRPCInferenceService/ModelInfer",
             target.streaming ? kNever : target.request_timeout) {}

Result<std::unique_ptr<const GrpcPlan>> GrpcPlan::Make(
    const TargetSpec& target, const Workload& workload,
    std::unique_ptr<SharedMemory> shared_memory) {
  for (const auto& [name, value] : target.headers) {
    const std::string lower = LowerCase(name);
    if (IsReserved(lower) || !IsHeaderName(lower) || !net::IsAsciiValue(value)) {
      return InvalidArgument("header '{}' cannot be sent as gRPC metadata", name);
    }
  }
  const auto encoding = net::ParseGrpcEncoding(target.grpc_compression);
  if (!encoding) {
    return InvalidArgument("gRPC compression '{}' is not known: gzip or deflate",
                           target.grpc_compression);
  }
  auto plan = std::make_unique<GrpcPlan>(target, workload);
  HEADRACE_ASSIGN_OR_RETURN(plan->endpoint, MakeH2Endpoint(target));
  plan->encoding = *encoding;
  plan->shared_memory = std::move(shared_memory);
  const InferMessage::Options options{.streaming = target.streaming,
                                      .encoding = *encoding,
                                      .shared_memory = plan->shared_memory.get()};
  for (std::size_t item = 0; item < workload.items.size(); ++item) {
    std::vector<InferMessage>& messages = plan->messages.emplace_back();
    for (std::size_t content = 0; content < workload.items[item].contents.size(); ++content) {
      HEADRACE_ASSIGN_OR_RETURN(InferMessage message,
                                InferMessage::Encode(workload, item, content, options));
      messages.push_back(std::move(message));
    }
  }
  return std::unique_ptr<const GrpcPlan>(std::move(plan));
}

}  // namespace headrace::load

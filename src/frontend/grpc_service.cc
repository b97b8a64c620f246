#include "frontend/grpc_service.h"

#include <algorithm>
#include <utility>

#include "frontend/grpc_call.h"
#include "frontend/grpc_handlers.h"
#include "frontend/grpc_health.h"
#include "frontend/grpc_session.h"
#include "frontend/operation_class.h"
#include "protocol/v2_proto.h"

namespace headrace::frontend {
namespace {

constexpr std::uint64_t kControlByteSizeMax = 1024 * 1024;

// What a message may weigh.
enum class MessageRule : std::uint8_t {
  kControl,  // small
  kUpload,   // may carry files
  kInfer,    // tensors: as much as the listener lets through
};

struct Method {
  std::string_view path;
  OperationClass operation;
  MessageRule rule;
  bool streaming;
  void (*handler)(GrpcContext&);
};

using enum OperationClass;
using enum MessageRule;

constexpr Method kMethods[] = {
    {"/inference.GRPCInferenceService/ModelInfer", kInference, kInfer, false, GrpcModelInfer},
    {"/inference.GRPCInferenceService/ModelStreamInfer", kInference, kInfer, true,
     GrpcModelStreamInfer},
    {"/inference.GRPCInferenceService/ServerLive", kHealth, kControl, false, GrpcServerLive},
    {"/inference.GRPCInferenceService/ServerReady", kHealth, kControl, false, GrpcServerReady},
    {"/inference.GRPCInferenceService/ModelReady", kHealth, kControl, false, GrpcModelReady},
    {"/inference.GRPCInferenceService/ServerMetadata", kMetadata, kControl, false,
     GrpcServerMetadata},
    {"/inference.GRPCInferenceService/ModelMetadata", kMetadata, kControl, false,
     GrpcModelMetadata},
    {"/inference.GRPCInferenceService/ModelConfig", kModelConfig, kControl, false, GrpcModelConfig},
    {"/inference.GRPCInferenceService/ModelStatistics", kStatistics, kControl, false,
     GrpcModelStatistics},
    {"/inference.GRPCInferenceService/RepositoryIndex", kModelRepository, kControl, false,
     GrpcRepositoryIndex},
    {"/inference.GRPCInferenceService/RepositoryModelLoad", kModelRepository, kUpload, false,
     GrpcRepositoryModelLoad},
    {"/inference.GRPCInferenceService/RepositoryModelUnload", kModelRepository, kControl, false,
     GrpcRepositoryModelUnload},
    {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", kSharedMemory, kControl, false,
     GrpcSystemSharedMemoryStatus},
    {"/inference.GRPCInferenceService/SystemSharedMemoryRegister", kSharedMemory, kControl, false,
     GrpcSystemSharedMemoryRegister},
    {"/inference.GRPCInferenceService/SystemSharedMemoryUnregister", kSharedMemory, kControl, false,
     GrpcSystemSharedMemoryUnregister},
    {"/inference.GRPCInferenceService/CudaSharedMemoryStatus", kSharedMemory, kControl, false,
     GrpcCudaSharedMemoryStatus},
    {"/inference.GRPCInferenceService/CudaSharedMemoryRegister", kSharedMemory, kControl, false,
     GrpcCudaSharedMemoryRegister},
    {"/inference.GRPCInferenceService/CudaSharedMemoryUnregister", kSharedMemory, kControl, false,
     GrpcCudaSharedMemoryUnregister},
    {"/inference.GRPCInferenceService/TraceSetting", kTrace, kControl, false, GrpcTraceSetting},
    {"/inference.GRPCInferenceService/LogSettings", kLogging, kControl, false, GrpcLogSettings},
    {"/grpc.health.v1.Health/Check", kHealth, kControl, false, GrpcHealthCheck},
    {"/grpc.health.v1.Health/Watch", kHealth, kControl, false, GrpcHealthWatch},
    // The last two: only where reflection is on.
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", kMetadata, kControl, true,
     GrpcReflection},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kMetadata, kControl, true,
     GrpcReflection},
};
constexpr std::size_t kReflectionMethodCount = 2;

// The row of `path`, or null.
const Method* FindMethod(std::string_view path, bool reflection) {
  const Method* const end = std::end(kMethods) - (reflection ? 0 : kReflectionMethodCount);
  const Method* const found =
      std::find_if(kMethods, end, [&](const Method& method) { return method.path == path; });
  return found == end ? nullptr : found;
}

std::uint64_t MessageByteSizeMax(const Services& services, MessageRule rule) {
  switch (rule) {
    case kControl:
      return kControlByteSizeMax;
    case kUpload:
      return services.InputByteSizeMax();
    case kInfer:
      break;
  }
  return UINT64_MAX;
}

}  // namespace

std::optional<OperationClass> GrpcOperationOf(std::string_view path) {
  const Method* const method = FindMethod(path, /*reflection=*/true);
  return method == nullptr ? std::nullopt : std::optional(method->operation);
}

GrpcService::GrpcService(Services& services)
    : services_(services), health_(std::make_unique<GrpcHealth>(services)) {}

GrpcService::~GrpcService() = default;

net::GrpcCallPlan GrpcService::OnCall(const net::GrpcRequestHead& head) {
  net::GrpcCallPlan plan;
  const Method* const method = FindMethod(head.path, services_.options.grpc_reflection);
  if (method == nullptr) {
    plan.refusal = Unimplemented("{} is not a method of this server", head.path.substr(0, 128));
    return plan;
  }
  if (method->operation == kInference && services_.draining.load(std::memory_order_relaxed)) {
    plan.refusal =
        Unavailable("GRPC server is shutting down and has stopped accepting new requests.");
    return plan;
  }
  plan.method = static_cast<std::uint32_t>(method - kMethods);
  plan.streaming = method->streaming;
  plan.response_compression = services_.options.grpc_response_compression;
  plan.message_byte_size_max = MessageByteSizeMax(services_, method->rule);
  return plan;
}

std::uint64_t GrpcService::AlignedOffset(const net::GrpcRequestHead&, std::uint32_t method,
                                         std::string_view begin, std::uint64_t) {
  return kMethods[method].rule == kInfer ? protocol::FindProtoRawInput(begin) : 0;
}

void GrpcService::OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) {
  GrpcContext context{services_, services_.loops.Of(call->loop()), *health_, call,
                      std::move(message)};
  kMethods[call->method()].handler(context);
}

void GrpcService::OnHalfClose(const net::GrpcCallRef& call) {
  if (GrpcSession* session = GrpcSession::Of(*call)) {
    session->OnHalfClose();
  } else {
    call->Finish(OkStatus());  // a stream without a message
  }
}

void GrpcService::OnCancel(const net::GrpcCallRef& call) {
  if (GrpcSession* session = GrpcSession::Of(*call)) {
    session->OnCancel();
  }
}

void GrpcService::OnDrained(const net::GrpcCallRef& call) {
  if (GrpcSession* session = GrpcSession::Of(*call)) {
    session->OnDrained();
  }
}

void GrpcService::ReadinessChanged() { health_->Look(); }

}  // namespace headrace::frontend

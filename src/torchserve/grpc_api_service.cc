#include "torchserve/grpc_api_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "frontend/grpc_session.h"
#include "torchserve/apis.h"

namespace headrace::torchserve {
namespace {

using frontend::GrpcSession;

constexpr std::uint64_t kControlByteSizeMax = 1024 * 1024;
constexpr std::uint32_t kOwnMethods = 0x1000'0000;   // numbers below are the others'
constexpr std::uint64_t kFrameByteSize = 64 * 1024;  // names and lengths around the inputs

std::vector<const GrpcMethod*> Flatten(const std::vector<std::span<const GrpcMethod>>& tables) {
  std::vector<const GrpcMethod*> methods;
  for (const std::span<const GrpcMethod> table : tables) {
    for (const GrpcMethod& method : table) {
      methods.push_back(&method);
    }
  }
  return methods;
}

}  // namespace

GrpcApiService::GrpcApiService(std::vector<std::span<const GrpcMethod>> tables, ApiServices& api,
                               frontend::Services& services, net::GrpcHandler* others)
    : methods_(Flatten(tables)),
      surface_(methods_.front()->surface),
      api_(api),
      services_(services),
      others_(others) {}

const GrpcMethod* GrpcApiService::MethodOf(std::uint32_t number) const {
  return number < kOwnMethods ? nullptr : methods_[number - kOwnMethods];
}

net::GrpcCallPlan GrpcApiService::OnCall(const net::GrpcRequestHead& head) {
  net::GrpcCallPlan plan;
  const auto found = std::find_if(methods_.begin(), methods_.end(), [&](const GrpcMethod* method) {
    return method->path == head.path;
  });
  const GrpcMethod* const method = found == methods_.end() ? nullptr : *found;
  const Surface surface = method == nullptr ? surface_ : method->surface;
  const AccessVerdict verdict = api_.access.Check(surface, static_cast<Surfaces>(surface_),
                                                  head.Header("authorization"), head.peer);
  if (verdict != AccessVerdict::kOpen) {
    plan.refusal = verdict == AccessVerdict::kWrongToken
                       ? PermissionDenied("{}", Access::token_refusal())
                       : ResourceExhausted("{}", frontend::kTooManyFailures);
    return plan;
  }
  if (method == nullptr) {
    if (others_ != nullptr) {
      return others_->OnCall(head);
    }
    plan.refusal = Unimplemented("{} is not a method of this server", head.path.substr(0, 128));
    return plan;
  }
  if (method->changes_models && !api_.access.model_api()) {
    plan.refusal = PermissionDenied("{}", Access::model_api_refusal());
    return plan;
  }
  if (method->takes_prediction && services_.draining.load(std::memory_order_relaxed)) {
    plan.refusal = Unavailable("the server ends and takes no more requests");
    return plan;
  }
  plan.method = kOwnMethods + static_cast<std::uint32_t>(found - methods_.begin());
  plan.streaming = method->streaming;
  plan.response_compression = services_.options.grpc_response_compression;
  plan.message_byte_size_max = method->takes_prediction
                                   ? api_.options.request_byte_size_max + kFrameByteSize
                                   : kControlByteSizeMax;
  return plan;
}

std::uint64_t GrpcApiService::AlignedOffset(const net::GrpcRequestHead& head, std::uint32_t method,
                                            std::string_view begin, std::uint64_t byte_size) {
  return MethodOf(method) == nullptr ? others_->AlignedOffset(head, method, begin, byte_size) : 0;
}

void GrpcApiService::OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) {
  const GrpcMethod* const method = MethodOf(call->method());
  if (method == nullptr) {
    others_->OnMessage(call, std::move(message));
    return;
  }
  GrpcApiCall api_call{api_, services_, services_.loops.Of(call->loop()), call, std::move(message)};
  method->handler(api_call);
}

// The others' sessions are of the same class.
void GrpcApiService::OnHalfClose(const net::GrpcCallRef& call) {
  if (MethodOf(call->method()) == nullptr) {
    others_->OnHalfClose(call);
  } else if (GrpcSession* session = GrpcSession::Of(*call)) {
    session->OnHalfClose();
  } else {
    call->Finish(OkStatus());  // a stream without a message
  }
}

void GrpcApiService::OnCancel(const net::GrpcCallRef& call) {
  if (MethodOf(call->method()) == nullptr) {
    others_->OnCancel(call);
  } else if (GrpcSession* session = GrpcSession::Of(*call)) {
    session->OnCancel();
  }
}

void GrpcApiService::OnDrained(const net::GrpcCallRef& call) {
  if (MethodOf(call->method()) == nullptr) {
    others_->OnDrained(call);
  } else if (GrpcSession* session = GrpcSession::Of(*call)) {
    session->OnDrained();
  }
}

}  // namespace headrace::torchserve

// The gRPC handler of one port of TorchServe's: finds the method of a call, checks its token, and
// gives it its messages.
#ifndef HEADRACE_TORCHSERVE_GRPC_API_SERVICE_H_
#define HEADRACE_TORCHSERVE_GRPC_API_SERVICE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "frontend/call.h"
#include "net/grpc.h"
#include "torchserve/access.h"
#include "torchserve/api_route.h"
#include "torchserve/grpc_method.h"

namespace headrace::torchserve {

// A call needs the token of its method's surface, in the metadata field `authorization`; what is
// handed on to `others` needs the first table's. PERMISSION_DENIED otherwise, and for a method that
// changes models while the model API is off. Thread-safe.
class GrpcApiService final : public net::GrpcHandler {
 public:
  // Everything is borrowed. `others` serves what no table has; null: nobody does.
  GrpcApiService(std::vector<std::span<const GrpcMethod>> tables, ApiServices& api,
                 frontend::Services& services, net::GrpcHandler* others);

  net::GrpcCallPlan OnCall(const net::GrpcRequestHead& head) override;
  std::uint64_t AlignedOffset(const net::GrpcRequestHead& head, std::uint32_t method,
                              std::string_view begin, std::uint64_t byte_size) override;
  void OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) override;
  void OnHalfClose(const net::GrpcCallRef& call) override;
  void OnCancel(const net::GrpcCallRef& call) override;
  void OnDrained(const net::GrpcCallRef& call) override;

 private:
  // Null for one of the others'.
  const GrpcMethod* MethodOf(std::uint32_t number) const;

  const std::vector<const GrpcMethod*> methods_;
  const Surface surface_;
  ApiServices& api_;
  frontend::Services& services_;
  net::GrpcHandler* const others_;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_GRPC_API_SERVICE_H_

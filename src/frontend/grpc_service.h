// The gRPC half of the front end: finds the method of a call, and gives it its messages.
#ifndef HEADRACE_FRONTEND_GRPC_SERVICE_H_
#define HEADRACE_FRONTEND_GRPC_SERVICE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "frontend/call.h"
#include "frontend/operation_class.h"
#include "net/grpc.h"

namespace headrace::frontend {

class GrpcHealth;

// The class of the method with this path; nothing for one that there is not.
std::optional<OperationClass> GrpcOperationOf(std::string_view path);

// Serves inference.GRPCInferenceService, grpc.health.v1.Health and, where the options say so,
// grpc.reflection. One object for all loops; thread-safe.
class GrpcService final : public net::GrpcHandler {
 public:
  // `services` are borrowed.
  explicit GrpcService(Services& services);
  ~GrpcService() override;

  net::GrpcCallPlan OnCall(const net::GrpcRequestHead& head) override;
  std::uint64_t AlignedOffset(const net::GrpcRequestHead& head, std::uint32_t method,
                              std::string_view begin, std::uint64_t byte_size) override;
  void OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) override;
  void OnHalfClose(const net::GrpcCallRef& call) override;
  void OnCancel(const net::GrpcCallRef& call) override;
  void OnDrained(const net::GrpcCallRef& call) override;

  // Those who watch the server's health hear of it at once, rather than at the next look.
  void ReadinessChanged();

 private:
  Services& services_;
  const std::unique_ptr<GrpcHealth> health_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_SERVICE_H_

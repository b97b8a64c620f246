// Stands in front of the handlers of a protocol and lets through what an AccessPolicy allows.
#ifndef HEADRACE_FRONTEND_ACCESS_GATE_H_
#define HEADRACE_FRONTEND_ACCESS_GATE_H_

#include <cstdint>
#include <string_view>
#include <utility>

#include "frontend/access_policy.h"
#include "net/grpc.h"
#include "net/http.h"

namespace headrace::frontend {

// Thread-safe, as the handlers are; `inner` is borrowed. A refusal is 403 "This API is restricted,
// expecting header 'x'" in the words of a stock Triton; the client of a large body hears it before
// the body is read. A header that comes twice opens nothing.
//
// Costs one more look for the route; without rules nobody needs a gate.
class HttpAccessGate final : public net::HttpHandler {
 public:
  HttpAccessGate(AccessPolicy policy, net::HttpHandler& inner)
      : policy_(std::move(policy)), inner_(inner) {}

  net::BodyPlan OnHead(const net::HttpRequestHead& head) override;
  void OnRequest(net::HttpExchangeRef exchange) override;

 private:
  // The rule that keeps the request out; null if none does.
  const AccessPolicy::Key* Locked(const net::HttpRequestHead& head) const;

  const AccessPolicy policy_;
  net::HttpHandler& inner_;
};

// The same over gRPC: UNAVAILABLE "This protocol is restricted, expecting header
// 'triton-grpc-protocol-x'", which is the header's name there.
class GrpcAccessGate final : public net::GrpcHandler {
 public:
  GrpcAccessGate(AccessPolicy policy, net::GrpcHandler& inner)
      : policy_(std::move(policy)), inner_(inner) {}

  net::GrpcCallPlan OnCall(const net::GrpcRequestHead& head) override;
  std::uint64_t AlignedOffset(const net::GrpcRequestHead& head, std::uint32_t method,
                              std::string_view begin, std::uint64_t byte_size) override {
    return inner_.AlignedOffset(head, method, begin, byte_size);
  }
  void OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) override {
    inner_.OnMessage(call, std::move(message));
  }
  void OnHalfClose(const net::GrpcCallRef& call) override { inner_.OnHalfClose(call); }
  void OnCancel(const net::GrpcCallRef& call) override { inner_.OnCancel(call); }
  void OnDrained(const net::GrpcCallRef& call) override { inner_.OnDrained(call); }

 private:
  const AccessPolicy policy_;
  net::GrpcHandler& inner_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_ACCESS_GATE_H_

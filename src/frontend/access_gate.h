// Stands in front of the handlers of a protocol and lets through what an AccessPolicy allows.
#ifndef HEADRACE_FRONTEND_ACCESS_GATE_H_
#define HEADRACE_FRONTEND_ACCESS_GATE_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "frontend/access_policy.h"
#include "frontend/browser_rules.h"
#include "frontend/failure_budget.h"
#include "frontend/replies.h"
#include "net/grpc.h"
#include "net/http.h"

namespace headrace::frontend {

// Thread-safe, as the handlers are; `failures` and `inner` are borrowed. A refusal is 403 "This API
// is restricted, expecting header 'x'" in the words of a stock Triton; the client of a large body
// hears it before the body is read. A header that comes twice opens nothing. A host that is refused
// too often hears 429. What changes the server is refused to pages of other origins, too (403).
//
// With a policy it costs one more look for the route, without one a look at two headers.
class HttpAccessGate final : public net::HttpHandler {
 public:
  HttpAccessGate(AccessPolicy policy, BrowserRules browsers, FailureBudget& failures,
                 net::HttpHandler& inner)
      : policy_(std::move(policy)),
        browsers_(std::move(browsers)),
        failures_(failures),
        inner_(inner) {}

  net::BodyPlan OnHead(const net::HttpRequestHead& head) override;
  void OnRequest(net::HttpExchangeRef exchange) override;

 private:
  struct Barrier {
    Status status;
    bool lacks_key = false;
  };
  // What keeps the request out; nothing if it may go on.
  std::optional<Barrier> BarrierFor(const net::HttpRequestHead& head) const;
  Refusal Refuse(const Barrier& barrier, std::uint64_t peer) const;

  const AccessPolicy policy_;
  const BrowserRules browsers_;
  FailureBudget& failures_;
  net::HttpHandler& inner_;
};

// The same over gRPC: UNAVAILABLE "This protocol is restricted, expecting header
// 'triton-grpc-protocol-x'", which is the header's name there, and RESOURCE_EXHAUSTED. Browsers do
// not speak it.
class GrpcAccessGate final : public net::GrpcHandler {
 public:
  GrpcAccessGate(AccessPolicy policy, FailureBudget& failures, net::GrpcHandler& inner)
      : policy_(std::move(policy)), failures_(failures), inner_(inner) {}

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
  FailureBudget& failures_;
  net::GrpcHandler& inner_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_ACCESS_GATE_H_

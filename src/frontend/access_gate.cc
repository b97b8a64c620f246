#include "frontend/access_gate.h"

#include <optional>
#include <string>

#include "base/ascii.h"
#include "frontend/grpc_service.h"
#include "frontend/replies.h"
#include "frontend/v2_routes.h"

namespace headrace::frontend {
namespace {

// Bodies up to this size are read whatever the verdict is, so that the connection can go on behind
// the answer.
constexpr std::uint64_t kSmallBodyByteSizeMax = 64 * 1024;
constexpr std::string_view kGrpcPrefix = "triton-grpc-protocol-";

// As metadata carries it.
std::string GrpcHeaderOf(const AccessPolicy::Key& key) {
  return LowerCase(std::string(kGrpcPrefix) + key.header);
}

// The value of a field that must be there exactly once.
std::optional<std::string_view> OnlyField(const net::GrpcRequestHead& head, std::string_view name) {
  std::optional<std::string_view> value;
  for (const auto& [field, text] : head.metadata) {
    if (field == name) {
      if (value) {
        return std::nullopt;
      }
      value = text;
    }
  }
  return value;
}

}  // namespace

std::optional<HttpAccessGate::Barrier> HttpAccessGate::BarrierFor(
    const net::HttpRequestHead& head) const {
  Status browser = CheckBrowser(browsers_, head);
  if (browser.ok() && policy_.empty()) {
    return std::nullopt;  // which nearly all are, without a look for their route
  }
  const std::optional<RouteMatch> match = V2Router().Match(head.path);
  if (!match) {
    return std::nullopt;
  }
  const AccessPolicy::Key* const key = policy_.KeyOf(match->route->operation);
  if (key != nullptr && (head.HeaderCount(key->header) != 1 ||
                         !AccessPolicy::Opens(*key, head.Header(key->header)))) {
    return Barrier{PermissionDenied("This API is restricted, expecting header '{}'", key->header),
                   true};
  }
  if (!browser.ok() && ChangesServer(match->route->operation)) {
    return Barrier{std::move(browser)};
  }
  return std::nullopt;
}

Refusal HttpAccessGate::Refuse(const Barrier& barrier, std::uint64_t peer) const {
  if (barrier.lacks_key && !failures_.Charge(peer)) {
    Refusal refusal = RefusalOf(ResourceExhausted("{}", kTooManyFailures));
    refusal.status = 429;
    refusal.headers = "Retry-After: 1\r\n";
    return refusal;
  }
  return RefusalOf(barrier.status);
}

net::BodyPlan HttpAccessGate::OnHead(const net::HttpRequestHead& head) {
  const std::optional<Barrier> barrier = BarrierFor(head);
  if (!barrier) {
    return inner_.OnHead(head);
  }
  net::BodyPlan plan;
  plan.byte_size_max = kSmallBodyByteSizeMax;
  if (head.chunked || head.content_length.value_or(0) > kSmallBodyByteSizeMax) {
    Refusal refusal = Refuse(*barrier, head.peer);
    plan.refuse_status = refusal.status;
    plan.refuse_json = std::move(refusal.json);
    plan.refuse_headers = std::move(refusal.headers);
  }
  return plan;
}

void HttpAccessGate::OnRequest(net::HttpExchangeRef exchange) {
  if (const std::optional<Barrier> barrier = BarrierFor(exchange->head())) {
    Reply(*exchange, Refuse(*barrier, exchange->peer()));
    return;
  }
  inner_.OnRequest(std::move(exchange));
}

net::GrpcCallPlan GrpcAccessGate::OnCall(const net::GrpcRequestHead& head) {
  if (policy_.empty()) {
    return inner_.OnCall(head);
  }
  const std::optional<OperationClass> operation = GrpcOperationOf(head.path);
  const AccessPolicy::Key* const key = operation ? policy_.KeyOf(*operation) : nullptr;
  if (key != nullptr) {
    const std::string name = GrpcHeaderOf(*key);
    if (!AccessPolicy::Opens(*key, OnlyField(head, name))) {
      net::GrpcCallPlan plan;
      plan.refusal = failures_.Charge(head.peer)
                         ? Unavailable("This protocol is restricted, expecting header '{}'", name)
                         : ResourceExhausted("{}", kTooManyFailures);
      return plan;
    }
  }
  return inner_.OnCall(head);
}

}  // namespace headrace::frontend

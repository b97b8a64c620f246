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

Refusal RefusalFor(const AccessPolicy::Key& key) {
  return RefusalOf(PermissionDenied("This API is restricted, expecting header '{}'", key.header));
}

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

const AccessPolicy::Key* HttpAccessGate::Locked(const net::HttpRequestHead& head) const {
  const std::optional<RouteMatch> match = V2Router().Match(head.path);
  const AccessPolicy::Key* const key = match ? policy_.KeyOf(match->route->operation) : nullptr;
  if (key == nullptr ||
      (head.HeaderCount(key->header) == 1 && AccessPolicy::Opens(*key, head.Header(key->header)))) {
    return nullptr;
  }
  return key;
}

net::BodyPlan HttpAccessGate::OnHead(const net::HttpRequestHead& head) {
  const bool small = !head.chunked && head.content_length.value_or(0) <= kSmallBodyByteSizeMax;
  const AccessPolicy::Key* const key = Locked(head);
  if (key == nullptr) {
    return inner_.OnHead(head);
  }
  net::BodyPlan plan;
  plan.byte_size_max = kSmallBodyByteSizeMax;
  if (!small) {
    Refusal refusal = RefusalFor(*key);
    plan.refuse_status = refusal.status;
    plan.refuse_json = std::move(refusal.json);
    plan.refuse_headers = std::move(refusal.headers);
  }
  return plan;
}

void HttpAccessGate::OnRequest(net::HttpExchangeRef exchange) {
  if (const AccessPolicy::Key* const key = Locked(exchange->head()); key != nullptr) {
    Reply(*exchange, RefusalFor(*key));
    return;
  }
  inner_.OnRequest(std::move(exchange));
}

net::GrpcCallPlan GrpcAccessGate::OnCall(const net::GrpcRequestHead& head) {
  const std::optional<OperationClass> operation = GrpcOperationOf(head.path);
  const AccessPolicy::Key* const key = operation ? policy_.KeyOf(*operation) : nullptr;
  if (key != nullptr) {
    const std::string name = GrpcHeaderOf(*key);
    if (!AccessPolicy::Opens(*key, OnlyField(head, name))) {
      net::GrpcCallPlan plan;
      plan.refusal = Unavailable("This protocol is restricted, expecting header '{}'", name);
      return plan;
    }
  }
  return inner_.OnCall(head);
}

}  // namespace headrace::frontend

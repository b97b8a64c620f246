#include "engine/queue_policy.h"

#include <algorithm>

namespace headrace::engine {
namespace {

bool Delays(const QueuePolicy& policy) {
  return policy.timeout > 0 && policy.timeout_action == TimeoutAction::kDelay;
}

bool RejectsBy(const QueuePolicy& policy) {
  return policy.timeout > 0 && policy.timeout_action == TimeoutAction::kReject;
}

template <typename Predicate>
bool AnyLevel(const QueuePolicies& policies, Predicate predicate) {
  return predicate(policies.default_policy) ||
         std::any_of(policies.of_level.begin(), policies.of_level.end(),
                     [&](const auto& level) { return predicate(level.second); });
}

}  // namespace

Nanos QueuePolicy::Expiry(Nanos queued, std::uint64_t timeout_us) const {
  if (timeout == 0) {
    return kNever;
  }
  Nanos wait = timeout;
  if (allow_timeout_override && timeout_us > 0 &&
      timeout_us < static_cast<std::uint64_t>(timeout / kMicrosecond)) {
    wait = static_cast<Nanos>(timeout_us) * kMicrosecond;
  }
  return queued > kNever - wait ? kNever : queued + wait;
}

const QueuePolicy& QueuePolicies::Of(std::uint32_t level) const {
  if (of_level.empty()) {
    return default_policy;
  }
  const auto found = of_level.find(level);
  return found == of_level.end() ? default_policy : found->second;
}

bool QueuePolicies::Reorders() const { return level_count > 1 || AnyLevel(*this, &Delays); }

bool QueuePolicies::Rejects() const { return AnyLevel(*this, &RejectsBy); }

}  // namespace headrace::engine

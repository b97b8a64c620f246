#include "engine/simulator/scenario.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace headrace::engine::simulator {
namespace {

template <typename T, std::size_t N>
T Pick(Random& random, const std::array<T, N>& choices) {
  return choices[static_cast<std::size_t>(random.Between(0, N - 1))];
}

BatchPolicyOptions DrawPolicy(Random& random) {
  BatchPolicyOptions policy;
  policy.dynamic = random.Chance(85);
  policy.batch_size_max = Pick(random, std::array<std::int64_t, 7>{1, 2, 3, 4, 8, 16, 32});
  policy.queue_delay_max =
      Pick(random, std::array<Nanos, 5>{0, 0, 100 * kMicrosecond, kMillisecond, 10 * kMillisecond});
  if (random.Chance(50)) {
    for (std::int64_t i = random.Between(1, 3); i > 0; --i) {
      policy.preferred_sizes.push_back(random.Between(1, policy.batch_size_max));
    }
    auto& sizes = policy.preferred_sizes;
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  }
  return policy;
}

QueuePolicy DrawQueuePolicy(Random& random, bool may_delay) {
  QueuePolicy policy;
  if (random.Chance(60)) {
    policy.timeout =
        Pick(random, std::array<Nanos, 3>{50 * kMicrosecond, kMillisecond, 10 * kMillisecond});
    policy.allow_timeout_override = random.Chance(50);
    if (may_delay && random.Chance(50)) {
      policy.timeout_action = TimeoutAction::kDelay;
    }
  }
  if (random.Chance(35)) {
    policy.request_count_max = static_cast<std::size_t>(random.Between(1, 5));
  }
  return policy;
}

QueuePolicies DrawQueuePolicies(Random& random, bool preserve_ordering) {
  QueuePolicies policies;
  policies.default_policy = DrawQueuePolicy(random, !preserve_ordering);
  if (!preserve_ordering && random.Chance(70)) {
    policies.level_count = static_cast<std::uint32_t>(random.Between(2, 4));
    policies.default_level = static_cast<std::uint32_t>(random.Between(1, policies.level_count));
    policies.passed_over_batches_max = Pick(random, std::array<std::uint32_t, 5>{0, 1, 1, 3, 9});
    if (random.Chance(40)) {
      policies.of_level[static_cast<std::uint32_t>(random.Between(1, policies.level_count))] =
          DrawQueuePolicy(random, true);
    }
  }
  return policies;
}

}  // namespace

Scenario Scenario::Draw(Random& random) {
  Scenario s;
  s.policy = DrawPolicy(random);
  if (random.Chance(25)) {
    s.limits.request_count_max = static_cast<std::size_t>(random.Between(1, 20));
  }
  if (random.Chance(25)) {
    s.limits.byte_size_max = static_cast<std::size_t>(random.Between(500, 8000));
  }
  s.preserve_ordering = random.Chance(30);
  s.instances = static_cast<int>(random.Between(1, 4));
  s.clients = static_cast<int>(random.Between(1, 6));
  s.requests = static_cast<int>(random.Between(5, 80));
  s.shapes = random.Chance(5) ? 200 : static_cast<int>(random.Between(1, 5));
  s.batch_size_max = random.Chance(60) ? 1 : random.Between(1, s.policy.batch_size_max);
  s.arrival_gap_max = Pick(
      random, std::array<Nanos, 4>{0, 20 * kMicrosecond, 500 * kMicrosecond, 5 * kMillisecond});
  s.burst_percent = Pick(random, std::array<int, 3>{0, 10, 50});
  s.cancel_percent = Pick(random, std::array<int, 4>{0, 0, 10, 40});
  s.deadline_percent = Pick(random, std::array<int, 3>{0, 0, 15});
  s.late_answer_percent = Pick(random, std::array<int, 3>{0, 0, 10});
  s.lost_answer_percent = Pick(random, std::array<int, 3>{0, 0, 5});
  s.execution_max = Pick(random, std::array<Nanos, 3>{0, 300 * kMicrosecond, 5 * kMillisecond});
  s.wake_latency_max = Pick(random, std::array<Nanos, 3>{0, 10 * kMicrosecond, 100 * kMicrosecond});
  if (random.Chance(30)) {
    s.close_time = random.Between(0, 20 * kMillisecond);
  }
  if (random.Chance(30)) {
    s.abandon_after = random.Between(0, 3 * kMillisecond);
  }
  if (s.policy.dynamic && random.Chance(50)) {
    s.policies = DrawQueuePolicies(random, s.preserve_ordering);
    s.own_timeout_percent = Pick(random, std::array<int, 2>{0, 30});
  }
  return s;
}

std::string Scenario::ToString() const {
  return fmt::format(
      "dynamic={} max={} preferred=[{}] delay={}us limits={}/{}B ordered={} instances={} "
      "clients={} requests={} "
      "shapes={} request_batch<={} gap<={}us burst={}% cancel={}% deadline={}% late={}% lost={}% "
      "execution<={}us "
      "wake<={}us close={}us abandon={}us levels={} default_level={} turn_after={} "
      "timeout={}us{}{} "
      "level_limit={} own_policies={} own_timeout={}%",
      policy.dynamic, policy.batch_size_max, fmt::join(policy.preferred_sizes, ","),
      policy.queue_delay_max / kMicrosecond, limits.request_count_max, limits.byte_size_max,
      preserve_ordering, instances, clients, requests, shapes, batch_size_max,
      arrival_gap_max / kMicrosecond, burst_percent, cancel_percent, deadline_percent,
      late_answer_percent, lost_answer_percent, execution_max / kMicrosecond,
      wake_latency_max / kMicrosecond, close_time == kNever ? -1 : close_time / kMicrosecond,
      abandon_after == kNever ? -1 : abandon_after / kMicrosecond, policies.level_count,
      policies.default_level, policies.passed_over_batches_max,
      policies.default_policy.timeout / kMicrosecond,
      policies.default_policy.timeout_action == TimeoutAction::kDelay ? " delay" : " reject",
      policies.default_policy.allow_timeout_override ? " override" : "",
      policies.default_policy.request_count_max, policies.of_level.size(), own_timeout_percent);
}

}  // namespace headrace::engine::simulator

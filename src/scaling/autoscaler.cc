#include "scaling/autoscaler.h"

#include <algorithm>

#include "base/duration_text.h"
#include "base/log.h"
#include "scaling/managed_version.h"
#include "scaling/online_model.h"

namespace headrace::scaling {
namespace {

ScalingView ViewOf(const Autoscaler::Target::Version& version) {
  const engine::StatisticsSnapshot statistics = version.model->statistics().Read();
  ScalingView view;
  view.worker_count = version.worker_count;
  view.worker_count_min = version.worker_count_min;
  view.worker_count_max = version.worker_count_max;
  view.batch_size = version.batch_size;
  view.queue_depth = static_cast<std::int64_t>(version.model->queue_depth());
  view.executing = std::max<std::int64_t>(0, version.model->in_flight() - view.queue_depth);
  view.received = statistics.received;
  view.completed =
      statistics.success.count + statistics.fail.count -
      statistics.failures_by_reason[static_cast<std::size_t>(engine::FailureReason::kRejected)];
  return view;
}

// Puts the delay in force, and says what changes and why.
void SetDelay(const Autoscaler::Target::Version& version, const OnlineDecision& decision,
              OnlineModel& online) {
  const Nanos before = version.model->queue_delay();
  if (decision.queue_delay == before) {
    return;
  }
  HEADRACE_LOG_INFO("model {} version {}: a queue delay of {} becomes {}: {} ({})", version.name,
                    version.version, DurationText(before), DurationText(decision.queue_delay),
                    DelayReasonText(decision.delay_reason), online.LatencyText());
  version.model->SetQueueDelay(decision.queue_delay);
  online.CountDelayChange(decision.delay_reason);
}

void SayIfBeyond(const Autoscaler::Target::Version& version, bool before,
                 const OnlineModel& online) {
  if (online.beyond_bounds() == before) {
    return;
  }
  if (before) {
    HEADRACE_LOG_INFO("model {} version {}: {} holds again", version.name, version.version,
                      online.SlaText());
    return;
  }
  HEADRACE_LOG_WARNING(
      "model {} version {}: {} is not to be held within its bounds ({}); it stays at a queue delay "
      "of {} and {} instances",
      version.name, version.version, online.SlaText(), online.LatencyText(),
      DurationText(version.model->queue_delay()), version.worker_count);
}

// What the SLA makes of the load's decision, with the delay in force.
ScalingDecision LookOnline(Nanos now, const Autoscaler::Target::Version& version,
                           const ScalingDecision& by_load, OnlineModel& online) {
  const bool was_beyond = online.beyond_bounds();
  const OnlineDecision decision = online.Look(now,
                                              {.queue_delay = version.model->queue_delay(),
                                               .instance_count = version.worker_count,
                                               .batch_size_max = version.batch_size},
                                              by_load, version.model->statistics());
  SetDelay(version, decision, online);
  SayIfBeyond(version, was_beyond, online);
  return decision.instances;
}

}  // namespace

Autoscaler::Autoscaler(AutoscalerOptions options, Target& target, const Clock& clock)
    : options_(options), target_(target), clock_(clock) {
  if (options_.look_interval > 0) {
    thread_.emplace("autoscaler", clock_, [this](Nanos now) {
      return now + (Look(now) ? options_.look_interval : options_.idle_interval);
    });
    thread_->LookBy(clock_.Now());
  }
}

Autoscaler::~Autoscaler() {
  thread_.reset();
  for (const auto& [key, managed] : managed_) {
    managed->Release();
  }
}

bool Autoscaler::Look(Nanos now) {
  std::map<Key, ManagedPtr> managed;
  {
    const std::lock_guard lock(mutex_);
    managed = managed_;
  }
  std::map<Key, ManagedPtr> seen;
  for (const Target::Version& version : target_.Versions()) {
    if (version.worker_count_max <= version.worker_count_min && !version.model->options().online) {
      continue;
    }
    Key key{version.name, version.version};
    const auto known = managed.find(key);
    // A version that was registered again under its old name begins anew.
    const bool same = known != managed.end() && known->second->model.lock() == version.model;
    ManagedPtr one =
        same ? known->second : std::make_shared<Managed>(options_.policy, version.model);
    Consider(now, version, one);
    seen.emplace(std::move(key), std::move(one));
  }
  for (const auto& [key, one] : managed) {
    if (const auto kept = seen.find(key); kept == seen.end() || kept->second != one) {
      one->Release();
    }
  }
  const std::lock_guard lock(mutex_);
  managed_ = std::move(seen);
  return !managed_.empty();
}

void Autoscaler::Consider(Nanos now, const Target::Version& version, const ManagedPtr& managed) {
  const ScalingView view = ViewOf(version);
  ScalingDecision decision;
  {
    const std::lock_guard lock(managed->mutex);
    decision = managed->policy.Look(now, view);
    managed->figures.start_cost = managed->policy.start_cost();
    if (managed->changing) {
      if (managed->online) {
        managed->online->Pause();
      }
      return;
    }
    if (managed->online) {
      decision = LookOnline(now, version, decision, *managed->online);
    }
    managed->figures.wanted = decision.worker_count;
    if (decision.reason != ScalingReason::kSteady) {
      managed->figures.reason = ScalingReasonText(decision.reason);
    }
    managed->changing = decision.worker_count != view.worker_count;
  }
  // Also before the last worker goes: what comes from then on waits for the next one.
  version.model->SetWaitsForInstances((view.worker_count == 0 || decision.worker_count == 0) &&
                                      decision.reason != ScalingReason::kPaused);
  if (decision.worker_count != view.worker_count) {
    Resize(now, version, decision, managed);
  }
}

void Autoscaler::Resize(Nanos now, const Target::Version& version, ScalingDecision decision,
                        const ManagedPtr& managed) {
  const bool grows = decision.worker_count > version.worker_count;
  const bool is_first = version.worker_count == 0;
  std::string latency;
  {
    const std::lock_guard lock(managed->mutex);
    latency = managed->online ? fmt::format(" ({})", managed->online->LatencyText()) : "";
  }
  HEADRACE_LOG_INFO("model {} version {}: {} {} become {}: {}{}", version.name, version.version,
                    version.worker_count, latency.empty() ? "workers" : "instances",
                    decision.worker_count, ScalingReasonText(decision.reason), latency);
  target_.Resize(version, decision.worker_count, ScalingReasonText(decision.reason),
                 [managed, grows, is_first, now, decision, &clock = clock_](const Status& status) {
                   {
                     const std::lock_guard lock(managed->mutex);
                     const Nanos done = clock.Now();
                     if (status.ok()) {
                       managed->policy.Changed(done, grows ? std::max<Nanos>(1, done - now) : 0);
                       ++managed->figures.change_count;
                       if (managed->online) {
                         managed->online->CountInstanceChange(decision.reason);
                       }
                     } else {
                       managed->policy.Failed(done);
                       managed->figures.reason = ScalingReasonText(ScalingReason::kPaused);
                     }
                     managed->changing = false;
                   }
                   // Now there is a worker, or what waits for one is to be told that none comes.
                   if (is_first) {
                     managed->Release();
                   }
                 });
}

std::optional<Autoscaler::Figures> Autoscaler::FiguresOf(std::string_view name,
                                                         std::string_view version) const {
  ManagedPtr managed;
  {
    const std::lock_guard lock(mutex_);
    const auto found = managed_.find(Key(name, version));
    if (found == managed_.end()) {
      return std::nullopt;
    }
    managed = found->second;
  }
  const std::lock_guard lock(managed->mutex);
  return managed->figures;
}

}  // namespace headrace::scaling

#include "store/autoscaler.h"

#include <algorithm>

#include "base/log.h"

namespace headrace::store {
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

}  // namespace

// What the thread and the answers of the store share.
struct Autoscaler::Managed {
  Managed(const ScalingPolicyOptions& options, const engine::ModelHandle& of)
      : policy(options), model(of) {}

  // Of the version that has gone, or shall be left alone.
  void Release() {
    if (const engine::ModelHandle still = model.lock()) {
      still->SetWaitsForInstances(false);
    }
  }

  std::mutex mutex;  // guards what follows
  ScalingPolicy policy;
  const std::weak_ptr<engine::Model> model;
  bool changing = false;  // the store is at it
  Figures figures;
};

Autoscaler::Autoscaler(AutoscalerOptions options, Target& target, const Clock& clock)
    : options_(options), target_(target), clock_(clock) {
  if (options_.look_interval > 0) {
    thread_.emplace("autoscaler", clock_, [this](Nanos now) {
      Look(now);
      return now + options_.look_interval;
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

void Autoscaler::Look(Nanos now) {
  std::map<Key, ManagedPtr> managed;
  {
    const std::lock_guard lock(mutex_);
    managed = managed_;
  }
  std::map<Key, ManagedPtr> seen;
  for (const Target::Version& version : target_.Versions()) {
    if (version.worker_count_max <= version.worker_count_min) {
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
}

void Autoscaler::Consider(Nanos now, const Target::Version& version, const ManagedPtr& managed) {
  const ScalingView view = ViewOf(version);
  ScalingDecision decision;
  {
    const std::lock_guard lock(managed->mutex);
    decision = managed->policy.Look(now, view);
    managed->figures.start_cost = managed->policy.start_cost();
    if (managed->changing) {
      return;
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
  HEADRACE_LOG_INFO("model {} version {}: {} workers become {}: {}", version.name, version.version,
                    version.worker_count, decision.worker_count,
                    ScalingReasonText(decision.reason));
  target_.Resize(version, decision.worker_count, ScalingReasonText(decision.reason),
                 [managed, grows, is_first, now, &clock = clock_](const StoreReply& reply) {
                   {
                     const std::lock_guard lock(managed->mutex);
                     const Nanos done = clock.Now();
                     if (reply.error.ok()) {
                       managed->policy.Changed(done, grows ? std::max<Nanos>(1, done - now) : 0);
                       ++managed->figures.change_count;
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

std::vector<Autoscaler::Target::Version> ModelStoreScaling::Versions() const {
  return store_.ScalableVersions();
}

void ModelStoreScaling::Resize(const Version& version, std::int64_t worker_count,
                               std::string_view reason, StoreDone done) {
  store_.Resize(version.name, version.version, worker_count, std::move(done), std::string(reason));
}

}  // namespace headrace::store

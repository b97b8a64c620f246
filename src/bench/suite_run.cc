#include "bench/suite_run.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace headrace::bench {
namespace {

constexpr Nanos kReloadGuess = kSecond;

class Run {
 public:
  Run(const SuiteSpec& spec, const std::vector<SuitePoint>& plan, SuiteTarget& target,
      SuiteState& state, const SuiteRunOptions& options)
      : spec_(spec),
        plan_(plan),
        target_(target),
        state_(state),
        options_(options),
        started_(options.clock->Now()) {}

  Result<SuiteOutcome> Do() {
    outcome_.resumed = state_.done_count();
    for (std::size_t i = 0; i < plan_.size() && !outcome_.interrupted; ++i) {
      if (state_.Find(plan_[i].key) == nullptr) {
        if (Stopped()) {
          outcome_.interrupted = true;
          break;
        }
        HEADRACE_RETURN_IF_ERROR(Point(i));
      }
    }
    return outcome_;
  }

 private:
  bool Stopped() const {
    return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed);
  }

  Status Point(std::size_t i) {
    const SuitePoint& point = plan_[i];
    const Nanos begin = options_.clock->Now();
    Tell(i, nullptr);
    if (applied_ != point.configuration) {
      applied_.reset();
      apply_status_ = Apply(point);
      applied_ = point.configuration;
      reload_time_ = options_.clock->Now() - begin;
    }
    if (Stopped()) {
      outcome_.interrupted = true;
      return OkStatus();
    }
    PointResult result;
    if (apply_status_.ok()) {
      auto measured = target_.Measure(point, [&](const Progress& progress) { Tell(i, &progress); });
      if (measured.ok()) {
        result = std::move(*measured);
      } else {
        result.failure = measured.status();
      }
    } else {
      result.failure = apply_status_;
    }
    if (Stopped()) {  // a point that was cut is measured again by the run that goes on
      outcome_.interrupted = true;
      return OkStatus();
    }
    result.took = options_.clock->Now() - begin;
    return Keep(point, std::move(result));
  }

  Status Apply(const SuitePoint& point) {
    Status status;
    for (int attempt = 0; attempt < spec_.models[point.model].attempts && !Stopped(); ++attempt) {
      status = target_.Apply(point);
      if (status.ok()) {
        break;
      }
    }
    return status;
  }

  Status Keep(const SuitePoint& point, PointResult result) {
    if (options_.on_point) {
      options_.on_point(point, result);
    }
    // A server that went away says nothing of the point: the next run tries it again.
    const bool counts = result.failure.ok() && result.level.stop_reason != StopReason::kServerGone;
    if (result.failure.ok() && result.level.request_rate > 0) {
      known_rate_ = result.level.request_rate;
    }
    ++(counts ? outcome_.measured : outcome_.failed);
    if (counts) {
      return state_.Add(point.key, std::move(result));
    }
    state_.Remember(point.key, std::move(result));
    applied_.reset();
    return OkStatus();
  }

  void Tell(std::size_t i, const Progress* level) const {
    if (!options_.progress) {
      return;
    }
    SuiteProgress progress;
    progress.number = i + 1;
    progress.count = plan_.size();
    progress.point = &plan_[i];
    progress.level = level;
    progress.elapsed = options_.clock->Now() - started_;
    for (std::size_t later = i; later < plan_.size(); ++later) {
      if (state_.Find(plan_[later].key) == nullptr) {
        const bool reload =
            later > i && plan_[later].configuration != plan_[later - 1].configuration;
        progress.left +=
            EstimatedTime(plan_[later], known_rate_) + (reload ? reload_time_ : Nanos{0});
      }
    }
    if (level != nullptr) {
      progress.left = std::max<Nanos>(0, progress.left - level->elapsed);
    }
    options_.progress(progress);
  }

  const SuiteSpec& spec_;
  const std::vector<SuitePoint>& plan_;
  SuiteTarget& target_;
  SuiteState& state_;
  const SuiteRunOptions& options_;
  const Nanos started_;
  SuiteOutcome outcome_;
  std::optional<std::size_t> applied_;  // the configuration, whether or not it could be
  Status apply_status_;
  Nanos reload_time_ = kReloadGuess;
  double known_rate_ = 0;
};

}  // namespace

Result<SuiteOutcome> RunSuite(const SuiteSpec& spec, const std::vector<SuitePoint>& plan,
                              SuiteTarget& target, SuiteState& state,
                              const SuiteRunOptions& options) {
  auto outcome = Run(spec, plan, target, state, options).Do();
  const Status restored = target.Restore();
  if (outcome.ok() && !restored.ok()) {
    return restored.WithPrefix("the models could not be put back as they were: ");
  }
  return outcome;
}

}  // namespace headrace::bench

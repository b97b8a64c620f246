// Gives models as many instances as their load needs (scaling/scaling_policy.h), between the two
// numbers that each has, and to those that are online what holds their SLA
// (scaling/online_policy.h).
#ifndef HEADRACE_SCALING_AUTOSCALER_H_
#define HEADRACE_SCALING_AUTOSCALER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/expiry_thread.h"
#include "engine/model.h"
#include "scaling/scalable_version.h"
#include "scaling/scaling_policy.h"
#include "telemetry/prometheus.h"

namespace headrace::scaling {

struct AutoscalerOptions {
  ScalingPolicyOptions policy;               // of models that are not online
  Nanos look_interval = 250 * kMillisecond;  // 0: there is no thread; whoever owns it calls Look
  Nanos idle_interval = 250 * kMillisecond;  // the same while there is nothing to scale
};

// One thread, which looks at the models at intervals and changes no instances itself: the target
// does. Queue delays it sets. Thread-safe.
//
// TorchServe never scales by itself: between min and max nothing happens there. Here whoever gives
// a model two different numbers (minWorkers and maxWorkers, min_worker and max_worker) gets what
// they say, and a model with one number is left alone. `autoscale=false` leaves all of them alone.
//
// A model whose min is 0 ends up without workers when nothing comes for a while. A request that
// comes then waits in the queue, and a worker is started for it; if that fails, what waits is
// refused with the reason, and so is what comes until it is tried again.
//
// As metrics: headrace_online_* of the models that are online.
class Autoscaler final : public telemetry::MetricSource {
 public:
  using Done = std::function<void(const Status&)>;

  // What it does with models: those of a model store, or of the repositories. Thread-safe.
  class Target {
   public:
    using Version = ScalableVersion;
    virtual ~Target() = default;
    virtual std::vector<Version> Versions() const = 0;
    // `reason` is static text. Calls `done` once, on any thread.
    virtual void Resize(const Version& version, std::int64_t worker_count, std::string_view reason,
                        Done done) = 0;
  };

  // Borrowed.
  Autoscaler(AutoscalerOptions options, Target& target, const Clock& clock);
  ~Autoscaler() override;

  // Ends the thread: nothing changes any more. What is under way goes on.
  void Stop() { thread_.reset(); }

  // Nothing for a version that has one number of workers, or is not known.
  struct Figures {
    std::int64_t wanted = 0;
    std::string_view reason;  // of the last change: static text
    std::uint64_t change_count = 0;
    Nanos start_cost = 0;
  };
  std::optional<Figures> FiguresOf(std::string_view name, std::string_view version) const;

  void Collect(telemetry::PrometheusWriter& writer) const override;

  // One look, as the thread does it. False: there is nothing to scale.
  bool Look(Nanos now);

 private:
  struct Managed;
  using ManagedPtr = std::shared_ptr<Managed>;
  using Key = std::pair<std::string, std::string>;

  void Consider(Nanos now, const Target::Version& version, const ManagedPtr& managed);
  void Resize(Nanos now, const Target::Version& version, ScalingDecision decision,
              const ManagedPtr& managed);

  const AutoscalerOptions options_;
  Target& target_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards managed_
  std::map<Key, ManagedPtr> managed_;
  std::optional<engine::ExpiryThread> thread_;  // last: it uses the rest
};

}  // namespace headrace::scaling

#endif  // HEADRACE_SCALING_AUTOSCALER_H_

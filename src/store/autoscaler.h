// Gives the models of a store as many workers as their load needs (store/scaling_policy.h), between
// the two numbers that each has.
#ifndef HEADRACE_STORE_AUTOSCALER_H_
#define HEADRACE_STORE_AUTOSCALER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/expiry_thread.h"
#include "engine/model.h"
#include "store/model_store.h"
#include "store/scaling_policy.h"

namespace headrace::store {

struct AutoscalerOptions {
  ScalingPolicyOptions policy;
  Nanos look_interval = 250 * kMillisecond;  // 0: there is no thread; whoever owns it calls Look
};

// One thread, which looks at the models at intervals and changes nothing itself: the store does.
// Thread-safe.
//
// TorchServe never scales by itself: between min and max nothing happens there. Here whoever gives
// a model two different numbers (minWorkers and maxWorkers, min_worker and max_worker) gets what
// they say, and a model with one number is left alone. `autoscale=false` leaves all of them alone.
//
// A model whose min is 0 ends up without workers when nothing comes for a while. A request that
// comes then waits in the queue, and a worker is started for it; if that fails, what waits is
// refused with the reason, and so is what comes until it is tried again.
class Autoscaler {
 public:
  // What it does with models; ModelStoreScaling is the real one. Thread-safe.
  class Target {
   public:
    using Version = ModelStore::ScalableVersion;
    virtual ~Target() = default;
    virtual std::vector<Version> Versions() const = 0;
    // `reason` is static text.
    virtual void Resize(const Version& version, std::int64_t worker_count, std::string_view reason,
                        StoreDone done) = 0;
  };

  // Borrowed.
  Autoscaler(AutoscalerOptions options, Target& target, const Clock& clock);
  ~Autoscaler();

  // Nothing for a version that has one number of workers, or is not known.
  struct Figures {
    std::int64_t wanted = 0;
    std::string_view reason;  // of the last change: static text
    std::uint64_t change_count = 0;
    Nanos start_cost = 0;
  };
  std::optional<Figures> FiguresOf(std::string_view name, std::string_view version) const;

  // One look, as the thread does it.
  void Look(Nanos now);

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

// The models of a store.
class ModelStoreScaling final : public Autoscaler::Target {
 public:
  explicit ModelStoreScaling(ModelStore& store) : store_(store) {}
  std::vector<Version> Versions() const override;
  void Resize(const Version& version, std::int64_t worker_count, std::string_view reason,
              StoreDone done) override;

 private:
  ModelStore& store_;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_AUTOSCALER_H_

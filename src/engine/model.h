// One version of one model, ready to serve: signature, queue, instances, statistics.
#ifndef HEADRACE_ENGINE_MODEL_H_
#define HEADRACE_ENGINE_MODEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/gate.h"
#include "base/result.h"
#include "engine/backend.h"
#include "engine/batch_observer.h"
#include "engine/batch_policy.h"
#include "engine/instance_facts.h"
#include "engine/instance_placer.h"
#include "engine/online_options.h"
#include "engine/ordering.h"
#include "engine/queue_core.h"
#include "engine/queue_policy.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/sequence_options.h"
#include "engine/signature.h"
#include "engine/statistics.h"

namespace headrace::engine {

class Ensemble;
class EnsemblePins;
class HealthBoard;
class RateLimiter;
class RequestStages;
class ResponseCache;
class Warmup;

// How many instances and on what; one per instance group entry after expansion.
struct ModelOptions {
  std::string name;
  std::string name_space{};  // of the name (engine/model_key.h); empty: there are none
  std::int64_t version = 1;
  std::string version_name{};  // as its users call it ("1.0"), where that is no whole number
  std::string platform;        // shown in metadata: config platform, or backend when empty
  std::string config_json;     // as loaded; opaque here
  ModelSignature signature;
  bool decoupled = false;
  BatchPolicyOptions batching;
  QueueLimits queue_limits;
  std::uint32_t batch_retry_credit = 0;  // executions of parts of failed batches (split_retry.h)
  QueuePolicies queue_policies;
  std::optional<SequenceOptions> sequences;  // set: sequence batching in place of `batching`
  bool preserve_ordering = false;
  std::vector<InstancePlacement> placements;
  // A request is refused unless an instance is free to take it at once: as many are under way as
  // there are instances that can execute.
  bool job_tickets = false;
  // It may be without instances, at the start and later: requests are refused then.
  bool may_have_no_instances = false;
  std::shared_ptr<const InstancePlacer> placer{};  // null: instances run wherever the process may
  int thread_count = 0;  // of one instance, where the configuration says; 0: its share of the cores
  std::vector<std::pair<std::string, std::string>>
      metric_tags;                       // config metric_tags: extra labels "_<tag>"
  std::shared_ptr<Ensemble> ensemble{};  // takes the requests in place of instances (no placements)
  std::shared_ptr<ResponseCache> cache{};   // asked before the queue; null: none
  std::shared_ptr<RateLimiter> limiter{};   // of executions; null: none
  std::shared_ptr<const Warmup> warmup{};   // run on every instance before it serves; null: none
  std::shared_ptr<RequestStages> stages{};  // null: requests are executed as they come
  std::optional<OnlineOptions> online{};    // scaling/autoscaler.h acts on them; nothing: nobody
};

// Thread-safe. Created by Start; ends by Drain and destruction (the last ModelHandle). Owns one
// thread per active instance.
//
// Destruction blocks until the instances and the model are gone. When the last handle is dropped by
// one of the model's own instance threads (a request that outlived a drain), a thread of its own
// does the rest.
class Model : public std::enable_shared_from_this<Model> {
 public:
  // Creates the instances (blocking, load pool) and their threads. Owns `loaded`.
  static Result<std::shared_ptr<Model>> Start(ModelOptions options,
                                              std::unique_ptr<LoadedModel> loaded,
                                              const Clock& clock);
  ~Model();

  const std::string& name() const { return options_.name; }
  const std::string& name_space() const { return options_.name_space; }
  std::int64_t version() const { return options_.version; }
  const ModelOptions& options() const { return options_; }
  const ModelSignature& signature() const { return options_.signature; }
  // What the backend sees: the signature, unless the model has stages.
  const ModelSignature& execution_signature() const;
  ModelStatistics& statistics() { return statistics_; }
  const ModelStatistics& statistics() const { return statistics_; }

  // Validates the request against the signature, enters the gate and queues it. Always takes it: a
  // refusal (invalid, queue full, draining) goes to its sink. Does not block.
  void Submit(std::unique_ptr<InferRequest> request);

  // Keeps the version open for SubmitPinned until Unpin, whatever becomes of it meanwhile: a drain
  // waits. False once it takes no new requests. For ensembles, whose later steps come when their
  // models may have been withdrawn.
  bool Pin();
  void Unpin();
  // The same as Submit, for a holder of a pin. `parts`: of an ensemble, the pins of its own steps.
  void SubmitPinned(std::unique_ptr<InferRequest> request,
                    std::shared_ptr<const EnsemblePins> parts);

  // Makes `wanted` the model's instances, while it serves: those that it has already stay, missing
  // ones are created (blocking), the others end after the batch that they execute, and are not
  // waited for. On failure (an instance does not start, none of `wanted` is active, the model has
  // ended) everything stays as it was. Requests never notice. An empty `wanted` is for models that
  // may have no instances: what is queued is refused then.
  Status SetPlacements(const std::vector<InstancePlacement>& wanted);
  // While it is on, requests wait in the queue although there is no instance, as they do while
  // instances start: whoever sets it sees to it that one comes, or takes it back. Off at first.
  void SetWaitsForInstances(bool waits);
  // How long the oldest queued request may wait for company, in place of `batching`'s delay;
  // requests that wait already count it from when they came. Of a dynamic batcher.
  void SetQueueDelay(Nanos delay);
  Nanos queue_delay() const { return queue_delay_.load(std::memory_order_relaxed); }
  std::size_t instance_count() const;
  // Those that the model has now, in the order in which they were made. Never blocks on them.
  std::vector<InstanceFacts> Instances() const;

  // Told of every batch from now on; null: nobody is. Batches of the steps of an ensemble are their
  // own models'.
  void SetBatchObserver(std::shared_ptr<BatchObserver> observer);
  // Of the backend's operators (LoadedModel). FAILED_PRECONDITION for a model without one: an
  // ensemble, or one that has ended.
  Status StartOperatorProfile(const std::string& options_json);
  Result<std::string> StopOperatorProfile();

  // The configuration in force, as JSON: options().config_json until it is replaced.
  std::string config_json() const;
  void SetConfigJson(std::string config_json);

  // OK while an instance, or every step of an ensemble, can execute; else UNAVAILABLE with reasons.
  Status Health() const;
  // False while all instances are down and nobody knows when they will be back: requests are
  // refused then. (An instance that restarts makes them wait.)
  bool CanServe() const;
  // Active instances that can execute now.
  std::size_t ready_instance_count() const;

  // Requests in queue now, and in the version altogether (queued, executing, answered but not
  // released).
  std::size_t queue_depth() const;
  std::int64_t in_flight() const { return gate_.inside() - pins_.inside(); }
  // Requests that wait for an execution; of an ensemble, those that are under way.
  std::size_t pending_count() const;
  // Nothing unless the model batches sequences.
  std::optional<SequenceFigures> sequence_figures() const { return queue_->sequence_figures(); }

  // Stops new requests, lets queued and running ones finish, stops the instance threads, and
  // destroys the instances and the loaded model: later the destructor has nothing left to wait for.
  // Not to be called from an instance thread. False if `timeout` ran out first: what is still
  // queued is then refused with UNAVAILABLE, and running ones are waited for by the destructor.
  // Idempotent.
  bool Drain(Nanos timeout);

 private:
  friend class InferRequest;
  friend class QueuePassage;
  class Runner;
  static void Destroy(Model* model);
  void TraceStart(InferRequest& request) const;
  // Stamps and counts a request that arrives.
  void Receive(InferRequest& request);
  // For a request that Submit has let in: false if every instance has something to do.
  bool TakeTicket(InferRequest& request);
  // The rest of Submit, inside the gate.
  void Accept(std::unique_ptr<InferRequest> request, std::shared_ptr<const EnsemblePins> parts);
  // Behind cache and ordering: to the ensemble, the stages or the queue.
  void Dispatch(std::unique_ptr<InferRequest> request, std::shared_ptr<const EnsemblePins> parts);
  // Of a request that has been through the stages.
  void QueuePrepared(std::unique_ptr<InferRequest> request);
  // Adds runners for `placements`, all of them or none. With stop_mutex_ held, or before Start
  // ends.
  Status AddRunners(const std::vector<InstancePlacement>& placements);
  // Ends the threads, then destroys the instances, then the loaded model. Idempotent.
  void Stop();
  struct Private {};  // makes the constructor callable by Start only

 public:
  Model(Private, ModelOptions options, std::unique_ptr<LoadedModel> loaded, const Clock& clock);

 private:
  ModelOptions options_;
  const Clock& clock_;
  Gate gate_;
  Gate pins_;  // each pin is inside gate_ as well
  ModelStatistics statistics_;
  std::atomic<std::size_t> tickets_taken_{0};
  std::unique_ptr<Scheduler> queue_;
  std::atomic<Nanos> queue_delay_;
  std::shared_ptr<HealthBoard> health_;
  BatchObserverSlot observer_;
  std::atomic<bool> waits_for_instances_{false};
  std::shared_ptr<ResponseOrder> order_;  // null unless preserve_ordering
  mutable std::mutex stop_mutex_;         // guards what follows once started
  std::unique_ptr<LoadedModel> loaded_;
  // Changed with both mutexes, read with either: a start of instances, which blocks, holds the
  // first alone. Destroyed before loaded_.
  mutable std::mutex runners_mutex_;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::vector<std::unique_ptr<Runner>> retired_;  // some may still execute a batch
  std::size_t runner_number_ = 0;                 // names the next thread
  mutable std::mutex config_mutex_;
  std::string config_json_;  // guarded by config_mutex_
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_MODEL_H_

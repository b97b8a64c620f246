// The models of a TorchServe: archives that are registered, scaled, described and unregistered
// while the server runs (contracts, TorchServe 2). The other way for models to come into the
// registry is repository/model_manager.h.
#ifndef HEADRACE_STORE_MODEL_STORE_H_
#define HEADRACE_STORE_MODEL_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/backend.h"
#include "engine/instance_placer.h"
#include "engine/queue_core.h"
#include "engine/registry.h"
#include "repository/archive_limits.h"
#include "scaling/scalable_version.h"
#include "store/store_error.h"
#include "tensor/block_pool.h"

namespace headrace::handler {
class CpuPool;
}

namespace headrace::store {

class ArchiveFetcher;  // store/archive_fetcher.h

// What a model's settings are where somebody said so; nothing: the archive's, then the options'.
struct WantedSettings {
  std::optional<std::int64_t> batch_size;
  std::optional<std::int64_t> batch_delay_ms;
  std::optional<std::int64_t> worker_count_min, worker_count_max;
  std::optional<std::int64_t> response_timeout_s, startup_timeout_s;
};

// By name and version, exactly as the version is called.
using ConfiguredModels = std::map<std::string, std::map<std::string, WantedSettings>>;

struct ModelStoreOptions {
  std::string directory;            // model_store, an existing directory; empty: there is none
  std::string temporary_directory;  // for what is unpacked; empty: the system's
  repository::ArchiveLimits archives;
  engine::QueueLimits queue_limits;
  // Where neither a request nor the archive says (contracts, TorchServe 5.2). Seconds, requests.
  std::int64_t response_timeout_s = 120;
  std::int64_t startup_timeout_s = 120;
  std::int64_t unregister_timeout_s = 120;
  std::int64_t job_queue_size = 100;
  std::int64_t worker_count_of_registered = 0;        // default_workers_per_model
  std::optional<std::int64_t> worker_count_at_start;  // the same for load_models; nothing: by cores
  std::string service_envelope;                       // body, json, kserve, kservev2; empty: none
  std::string service_handler;                        // where a manifest names none
  bool decode_input_request = true;
  bool limit_max_image_pixels = true;
  std::int64_t worker_count_max = 1024;    // that one model may be asked to have
  std::int64_t worker_id_first = 9000;     // initial_worker_port
  std::size_t version_count_max = 10'000;  // of all models together
  ConfiguredModels configured;             // the `models` key
  std::size_t thread_count = 4;            // that load and unload
  // Called when versions come or go, on a thread of the store: who keeps a picture of the registry
  // (an idle event loop) looks anew, so that a version which goes is not held up.
  std::function<void()> registry_changed = {};
  std::vector<int> gpu_ids = {};
  std::shared_ptr<const engine::InstancePlacer> placer = {};  // null: no instance is bound
  std::shared_ptr<handler::CpuPool> cpu = {};     // of native handlers; null: there are none
  std::map<std::string, int> thread_counts = {};  // see repository::ModelManagerOptions
};

struct Registration {
  std::string url = {};   // of the archive: a name in the store, a path below it, an URL
  std::string name = {};  // empty: the manifest's
  std::string folder =
      {};  // of an archive that is unpacked already and stays while the version
           // does; `url` is then only what is told of it. Empty: `url` is looked for
  std::string handler = {};  // empty: the manifest's
  std::string runtime = {};  // empty: the manifest's
  WantedSettings settings = {};
  bool synchronous = true;  // `done` waits for the workers
  bool s3_sse_kms = false;
  bool at_start = false;  // of load_models: other worker counts, and no removal on failure
};

// How far an operation has come when `done` is called.
enum class Progress : std::uint8_t {
  kDone,      // 200
  kUnderWay,  // 206: waited for, and not all workers are ready
  kAccepted,  // 202: not waited for
};

struct StoreReply {
  StoreError error;
  Progress progress = Progress::kDone;
  std::string text = {};                // for `status`, in TorchServe's words; empty on failure
  std::string name = {}, version = {};  // of the model, where it is known by then
};
using StoreDone = std::function<void(StoreReply)>;

struct WorkerFacts {
  std::string id;  // "9000", ...: as TorchServe numbers its workers' ports
  std::int64_t process_id = -1;
  std::int64_t started_unix_ms = 0;
  bool ready = false;
  std::string reason;                  // why it is not
  std::uint64_t memory_byte_size = 0;  // resident
  bool on_gpu = false;
  int device_id = 0;
};

// One version, as `describe` shows it (contracts, TorchServe 2.4). A copy: it does not change.
struct ModelFacts {
  std::string name, version, url, runtime;
  std::string internal_workflow;  // of a workflow's node: its workflow; empty: none
  std::int64_t worker_count_min = 0, worker_count_max = 0;
  std::int64_t batch_size = 1, batch_delay_ms = 100;
  std::int64_t response_timeout_s = 120, startup_timeout_s = 120, retry_timeout_s = 300;
  std::int64_t client_timeout_ms = 0;
  std::int64_t queue_capacity = 100, queue_depth = 0;
  std::string device_type = "cpu";
  std::vector<int> device_ids;
  std::string parallel_type;
  std::int64_t parallel_level = 0;
  bool continuous_batching = false, job_ticket = false, own_environment = false, stateful = false;
  std::int64_t sequence_idle_ms = 0, sequence_timeout_ms = 0;
  std::int64_t sequence_count_max = 0, sequence_queue_size = 0;
  bool is_default = false;
  bool loaded_at_start = false;
  bool native = false;     // served without Python (docs/handlers.md)
  std::string load_error;  // of the last start of workers that failed; empty: none
  // Of the last change that the load was the reason for; empty: there was none.
  std::string scaling_reason;
  std::int64_t worker_count_wanted = 0;
  std::vector<WorkerFacts> workers;
  engine::ModelHandle model;  // pins the version; null while it is going
};

// Thread-safe. Nothing that takes a `done` blocks; `done` is called once, on a thread of the store
// or before the call returns. What is asked for one model is done in the order in which it was
// asked. Destruction withdraws and drains everything.
//
// A version is found in the registry under its model's name and a number: N for "N" and "N.0", a
// number beyond a million for any other; engine::ModelOptions::version_name is what it is called.
class ModelStore {
 public:
  // Everything is borrowed and outlives the store. `fetcher` null: only what lies in the store.
  ModelStore(ModelStoreOptions options, engine::BackendProvider& backends,
             engine::Registry& registry, BlockPool& pool, ArchiveFetcher* fetcher,
             const Clock& clock);
  ~ModelStore();

  // load_models and the `models` key, or a snapshot. Blocks until each is served or has failed; a
  // model that fails is warned about and left out. Snapshots: store/snapshot.h.
  struct StartModel {
    Registration registration;
    std::string default_version = {};  // empty: the first that is registered
  };
  void LoadAtStart(const std::vector<StartModel>& models);
  // The names that `load_models=all` means: archives and folders in the store, sorted.
  Result<std::vector<std::string>> ArchivesInStore() const;

  void Register(Registration registration, StoreDone done);
  // Of a workflow's node: the same, but its facts say whose it is, and lists leave it out.
  void RegisterNode(Registration registration, std::string workflow, StoreDone done);

  struct Scaling {
    std::string name = {}, version = {};  // version empty: the default one
    std::int64_t worker_count_min = 1;
    std::int64_t worker_count_max = 1;
    bool synchronous = false;
  };
  void Scale(Scaling scaling, StoreDone done);
  // The same, to exactly `worker_count`, which lies between the two: the two stay what they are.
  // For store/store_scaling.h. kBadRequest if it lies elsewhere.
  // `reason` is shown by `describe`.
  void Resize(std::string name, std::string version, std::int64_t worker_count, StoreDone done,
              std::string reason = {});
  // What scaling/autoscaler.h has to know of all versions. Does not block.
  using ScalableVersion = scaling::ScalableVersion;
  std::vector<ScalableVersion> ScalableVersions() const;
  // Takes no more requests at once; done when those that it had are answered.
  void Unregister(std::string name, std::string version, StoreDone done);
  void SetDefault(std::string name, std::string version, StoreDone done);

  // Neither blocks. Version empty: the default one; "all": every one, in the order of registration.
  struct Described {
    StoreError error;
    std::vector<ModelFacts> models;
  };
  Described Describe(std::string_view name, std::string_view version) const;
  // The default versions of all models, by name; workflows' nodes too.
  std::vector<ModelFacts> List() const;

  // Whether every default version has at least the workers that it is to have (contracts,
  // TorchServe 1.9).
  bool Healthy() const;

  // Called after each change that a snapshot would show (register, scale, unregister, set-default);
  // on a thread of the store. Set before LoadAtStart.
  void OnChange(std::function<void()> listener);

  // Refuses what is asked from now on and drains all models; false if requests were still in flight
  // at the end of `timeout`.
  bool Shutdown(Nanos timeout);

  const ModelStoreOptions& options() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_MODEL_STORE_H_

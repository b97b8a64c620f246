// Turns what lies in model repositories into serving model versions, and keeps the registry true to
// it.
#ifndef HEADRACE_REPOSITORY_MODEL_MANAGER_H_
#define HEADRACE_REPOSITORY_MODEL_MANAGER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/backend.h"
#include "engine/instance_placer.h"
#include "engine/queue_core.h"
#include "engine/rate_limiter.h"
#include "engine/registry.h"
#include "engine/repository_agents.h"
#include "engine/response_cache.h"
#include "handler/cpu_pool.h"
#include "repository/accelerator_switches.h"
#include "repository/archive_limits.h"
#include "repository/load_override.h"
#include "repository/repositories.h"
#include "repository/variants.h"
#include "scaling/scalable_version.h"
#include "tensor/block_pool.h"

namespace headrace::repository {

enum class ControlMode : std::uint8_t { kNone, kPoll, kExplicit };

struct ModelManagerOptions {
  std::vector<std::string> repository_paths;  // local directories
  ControlMode control_mode = ControlMode::kNone;
  std::vector<std::string> startup_models;  // explicit mode: what to load at start; "*" alone = all
  bool auto_complete_config = true;  // false = --disable-auto-complete-config / strict model config
  std::string model_config_name;     // configs/<name>.pbtxt in place of config.pbtxt
  std::size_t load_thread_count = 4;
  std::size_t load_retry_count = 0;
  std::int64_t default_max_batch_size = 4;  // for auto-completion
  engine::QueueLimits queue_limits;
  Nanos unload_timeout = 30 * kSecond;
  AcceleratorSwitches accelerators;
  std::vector<int> gpu_ids = {};                              // GPUs that instances may use
  double compute_capability_min = 6.0;                        // shown where another is named
  std::shared_ptr<const engine::InstancePlacer> placer = {};  // null: no instance is bound
  // Threads of an instance where the configuration says nothing, by backend; "" stands for all.
  std::map<std::string, int> thread_counts = {};
  bool namespaces = false;       // repositories are namespaces of models (--model-namespacing)
  bool links_may_leave = false;  // follow links that lead outside of their repository
  Nanos poll_interval = 15 * kSecond;  // poll mode: between looks; 0 = only PollOnce looks
  VariantOptions variants = {};        // which variants of models serve (docs/optimize.md)
  bool allow_code_override = false;    // load requests may bring code with them (D5)
  ArchiveLimits archives;              // of models that are archives
  std::size_t override_byte_size_max = std::size_t{4}
                                       << 30;  // files of load requests, all together
  std::string temporary_directory;             // for them; empty = the system's
  BlockPool* pool = nullptr;  // of tensors between the steps of ensembles; null = one of its own
  std::shared_ptr<engine::ResponseCache> cache = nullptr;  // of models that ask for it; null = none
  std::shared_ptr<engine::RateLimiter> limiter = nullptr;  // of executions; null = off
  std::shared_ptr<engine::AgentProvider> agents = nullptr;  // null = no repository agents
  std::shared_ptr<handler::CpuPool> cpu = nullptr;          // null = no native handlers
};

struct IndexEntry {
  std::string name_space;  // empty: there are none
  std::string name;
  std::string version;  // empty: never loaded
  std::string state;    // empty with it
  std::string reason;
};

// Thread-safe. Owns the load threads and, in poll mode, the thread that looks at the repositories.
// Destruction unloads everything.
//
// Operations on the same model come one after the other, those on different models run side by
// side. An ensemble is loaded after the models that it is made of (repository/dependency_graph.h):
// the load of an ensemble loads what is missing of them; whatever happens to one of them later
// makes the ensembles that need it unavailable, or brings them back. Nothing waits while it holds a
// model, so that no two loads can wait for each other.
class ModelManager {
 public:
  // All references are borrowed and must outlive the manager.
  ModelManager(ModelManagerOptions options, engine::BackendProvider& backends,
               engine::Registry& registry, const Clock& clock);
  ~ModelManager();

  // Loads what the control mode asks for at start (blocking). A failure of the repository itself
  // (path missing, cloud scheme, not a directory) is returned; failures of single models are in the
  // registry, and `AllLoaded` tells.
  Status LoadAtStart();
  bool AllLoaded() const;

  // Load or reload a model; `done` is called on a load thread when all its versions are READY, or
  // with the reason why not. UNAVAILABLE in modes other than explicit: "explicit model load /
  // unload is not allowed if polling is enabled". A failed reload keeps the old versions serving.
  // Versions that did not change are not loaded again; other instance groups and another version
  // policy are put in force without touching them.
  //
  // Where repositories are namespaces, `name` is "<namespace>::<name>" (Namespaces::Find) or a name
  // alone, which stands for all models that are called so; files of the request need one model.
  void LoadAsync(std::string name, LoadOverride override, std::function<void(Status)> done);
  // Withdraws the model; `done` is called when it takes no requests any more. With
  // `unload_dependents`, also the models that only this ensemble is made of.
  void UnloadAsync(std::string name, bool unload_dependents, std::function<void(Status)> done);

  // Versions that are online (engine/online_options.h), by name (the key of the model) and version.
  // Does not block.
  std::vector<scaling::ScalableVersion> OnlineVersions() const;
  // Gives one of them so many instances, while it serves; what it is configured to have stays, and
  // is in force again after a load that changes it. `done` is called on a load thread.
  void ResizeAsync(const scaling::ScalableVersion& version, std::int64_t instance_count,
                   std::function<void(Status)> done);

  // Poll mode: looks at the repositories once and makes the models true to what is there; returns
  // when that is done. Without `settled` a change counts when two looks in a row have seen the
  // same, with it at once. UNAVAILABLE "polling is disabled" in the other modes. Blocks.
  Status PollOnce(bool settled);

  // Adds a repository to those that are looked into, and takes one away (Repositories has the
  // failures). Models stay as they are until they are loaded or unloaded; one whose repository has
  // gone goes on serving. UNIMPLEMENTED in modes other than explicit. Block on the file system.
  Status RegisterRepository(const std::string& path, const std::vector<NameMapping>& mapping);
  Status UnregisterRepository(const std::string& path);

  // Every version known, by name and version; models never loaded have empty version and state. A
  // model whose configuration or directory cannot be used has one entry with an empty version,
  // state UNAVAILABLE and the reason. In explicit mode, and unless `ready_only`, the repositories'
  // directories are listed (this blocks on the file system).
  std::vector<IndexEntry> Index(bool ready_only) const;
  // The same for one repository. INVALID_ARGUMENT if there is none, or there are no namespaces.
  Result<std::vector<IndexEntry>> IndexOf(std::string_view repository, bool ready_only) const;

  // Strict readiness (contracts, Triton 5.5): every known version is READY or was explicitly
  // unloaded.
  bool Ready(bool strict) const;

  // Drains and unloads all models within `timeout`; false if requests were still in flight then.
  // Loads in progress are waited for within the same time; new ones are refused.
  bool Shutdown(Nanos timeout);

  const ModelManagerOptions& options() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_MANAGER_H_

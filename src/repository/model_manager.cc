#include "repository/model_manager.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <mutex>
#include <set>
#include <utility>

#include "base/gate.h"
#include "base/log.h"
#include "engine/model_key.h"
#include "repository/layout.h"
#include "repository/model_control.h"
#include "repository/model_index.h"
#include "repository/model_loader.h"
#include "repository/model_records.h"
#include "repository/names.h"
#include "repository/namespaces.h"
#include "repository/override_rules.h"
#include "repository/override_store.h"
#include "repository/poll_tracker.h"
#include "repository/repository_look.h"
#include "repository/repository_poller.h"
#include "repository/version_board.h"
#include "repository/version_loader.h"
#include "repository/when_all.h"
#include "repository/worker_pool.h"

namespace headrace::repository {
namespace {

using Done = std::function<void(Status)>;

constexpr char kNotExplicit[] = "explicit model load / unload is not allowed if polling is enabled";
constexpr char kAllModels[] = "*";

Nanos TimeLeft(Nanos deadline) {
  return deadline == kNever ? kNever : std::max<Nanos>(0, deadline - Clock::Real().Now());
}

// Called `count` times, then calls `done` once: with the first failure, if there was one.
Done ForEach(std::size_t count, Done done) {
  if (count == 1) {
    return done;
  }
  struct State {
    std::mutex mutex;
    Status first;  // guarded by mutex
  };
  const auto state = std::make_shared<State>();
  const auto arrived = WhenAll(count, [state, done = std::move(done)] { done(state->first); });
  return [state, arrived](const Status& status) {
    {
      std::lock_guard lock(state->mutex);
      if (state->first.ok()) {
        state->first = status;
      }
    }
    arrived();
  };
}

}  // namespace

class ModelManager::Impl {
 public:
  Impl(ModelManagerOptions options, engine::BackendProvider& backends, engine::Registry& registry,
       const Clock& clock)
      : options_(std::move(options)),
        backends_(backends),
        registry_(registry),
        overrides_({options_.temporary_directory, options_.override_byte_size_max}),
        board_(registry, options_.unload_timeout),
        namespaces_(repositories_, board_),
        versions_({options_.queue_limits, options_.links_may_leave, options_.placer,
                   options_.thread_counts, options_.variants},
                  version_parts(), clock),
        pool_(std::make_unique<WorkerPool>("load", options_.load_thread_count)),
        loader_({options_.load_retry_count, options_.links_may_leave}, versions_, board_, records_,
                *pool_),
        control_({repositories_, overrides_, records_, board_, loader_, *pool_}, plan_options()) {}

  ~Impl();

  Status LoadAtStart();
  bool AllLoaded() const;
  void LoadAsync(std::string name, LoadOverride override, Done done);
  void UnloadAsync(std::string name, bool unload_dependents, Done done);
  std::vector<scaling::ScalableVersion> OnlineVersions() const;
  void ResizeAsync(const scaling::ScalableVersion& version, std::int64_t instance_count, Done done);
  Status PollOnce(bool settled);
  Status RegisterRepository(const std::string& path, const std::vector<NameMapping>& mapping);
  Status UnregisterRepository(const std::string& path);
  std::vector<IndexEntry> Index(bool ready_only) const;
  Result<std::vector<IndexEntry>> IndexOf(std::string_view repository, bool ready_only) const;
  bool Ready(bool strict) const;
  bool Shutdown(Nanos timeout);
  const ModelManagerOptions& options() const { return options_; }

 private:
  LayoutOptions layout_options() const { return {options_.links_may_leave, options_.namespaces}; }
  PlanOptions plan_options() const;
  VersionLoader::Parts version_parts();
  bool LoadsEverything() const;
  Result<std::set<std::string>> StartupModels();
  // The keys of the models that a request to load or unload means.
  Result<std::vector<std::string>> Targets(const std::string& name) const;
  using UseTargets = std::function<void(const Result<std::vector<std::string>>&)>;
  void WithTargets(const std::string& name, UseTargets use);
  Status CheckOverride(const LoadOverride& override) const;
  Done Counted(Done done);

  // One look; `done` when everything that it found is done.
  void Poll(bool settled, std::function<void()> done);

  const ModelManagerOptions options_;
  engine::BackendProvider& backends_;
  engine::Registry& registry_;
  BlockPool own_pool_;  // used where the options name none
  Repositories repositories_;
  OverrideStore overrides_;
  ModelRecords records_;
  Gate gate_;  // operations whose `done` has not been called
  mutable std::mutex mutex_;
  bool start_failed_ = false;         // guarded by mutex_
  bool started_ = false;              // guarded by mutex_
  bool stopping_ = false;             // guarded by mutex_
  std::mutex poll_mutex_;             // one look at a time
  PollTracker tracker_;               // guarded by poll_mutex_
  std::set<std::string> unreadable_;  // repositories, at the last look; guarded by poll_mutex_
  VersionBoard board_;
  const Namespaces namespaces_;
  VersionLoader versions_;
  std::unique_ptr<WorkerPool> pool_;  // its tasks use the rest: gone first
  ModelLoader loader_;
  ModelControl control_;
  std::unique_ptr<RepositoryPoller> poller_;
};

ModelManager::Impl::~Impl() {
  (void)Shutdown(options_.unload_timeout);
  // A load that outlived the time above may have published since.
  pool_.reset();
  board_.WithdrawAll();
}

PlanOptions ModelManager::Impl::plan_options() const {
  return {.auto_complete_config = options_.auto_complete_config,
          .model_config_name = options_.model_config_name,
          .links_may_leave = options_.links_may_leave,
          .accelerators = options_.accelerators,
          .allow_code_override = options_.allow_code_override,
          .has_response_cache = options_.cache != nullptr,
          .has_rate_limiter = options_.limiter != nullptr,
          .namespaces = options_.namespaces ? &namespaces_ : nullptr,
          .gpus = {.ids = options_.gpu_ids,
                   .compute_capability_min = options_.compute_capability_min,
                   .wanted_by_backend =
                       [this](const engine::LoadSpec& spec) {
                         const auto backend = backends_.Find(spec);
                         // One that cannot be found will be complained about at the load.
                         return !backend.ok() ||
                                (*backend)->PreferredKind() != engine::InstanceKind::kCpu;
                       }},
          .agents = options_.agents,
          .archives = options_.archives};
}

VersionLoader::Parts ModelManager::Impl::version_parts() {
  return {.backends = backends_,
          .registry = registry_,
          .find_part =
              [this](const std::string& name, std::int64_t version) {
                if (version < 0) {
                  const auto ready = board_.ReadyVersions(name);
                  version = ready.empty() ? 0 : ready.back();
                }
                return board_.Find(name, version);
              },
          .pool = options_.pool != nullptr ? *options_.pool : own_pool_,
          .cache = options_.cache,
          .limiter = options_.limiter,
          .cpu = options_.cpu};
}

// At start.
bool ModelManager::Impl::LoadsEverything() const {
  const auto& listed = options_.startup_models;
  return options_.control_mode != ControlMode::kExplicit ||
         std::find(listed.begin(), listed.end(), kAllModels) != listed.end();
}

Result<std::set<std::string>> ModelManager::Impl::StartupModels() {
  const auto& listed = options_.startup_models;
  if (listed.size() > 1 && std::find(listed.begin(), listed.end(), kAllModels) != listed.end()) {
    return InvalidArgument(
        "'*' must be the only model to load at start, it stands for all of them");
  }
  if (!LoadsEverything()) {
    std::set<std::string> keys;
    for (const std::string& name : listed) {
      HEADRACE_ASSIGN_OR_RETURN(const std::vector<std::string> targets, Targets(name));
      keys.insert(targets.begin(), targets.end());
    }
    return keys;
  }
  const RepositoryScan scan = ScanRepositories(*repositories_.Load(), layout_options());
  for (const auto& [repository, reason] : scan.unreadable) {
    return InvalidArgument("cannot list model repository '{}': {}", EscapeForLog(repository),
                           reason);
  }
  std::set<std::string> names;
  for (const auto& [name, location] : scan.models) {
    names.insert(name);
  }
  for (const auto& [name, problem] : scan.problems) {
    HEADRACE_LOG_ERROR("model directory '{}' is not served: {}", EscapeForLog(name, 256), problem);
    records_.SetFault(name, problem);
  }
  if (options_.control_mode == ControlMode::kPoll) {
    std::lock_guard lock(poll_mutex_);
    tracker_.Begin(LookAt(scan, options_.links_may_leave));
  }
  return names;
}

Status ModelManager::Impl::LoadAtStart() {
  HEADRACE_RETURN_IF_ERROR(repositories_.Open(options_.repository_paths));
  if (options_.control_mode == ControlMode::kExplicit) {
    overrides_.RemoveStale();
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::set<std::string> names, StartupModels());
  board_.SetBatching(true);
  std::latch loaded(static_cast<std::ptrdiff_t>(names.size()));
  std::atomic<bool> failed{false};
  control_.LoadAll(names, LoadsEverything() ? MissingParts::kAwait : MissingParts::kLoad,
                   [&](const Status& status) {
                     if (!status.ok()) {
                       failed = true;
                     }
                     loaded.count_down();
                   });
  loaded.wait();
  board_.SetBatching(false);
  {
    std::lock_guard lock(mutex_);
    start_failed_ = failed || records_.HasFaults();
    started_ = true;
  }
  if (options_.control_mode == ControlMode::kPoll && options_.poll_interval > 0) {
    poller_ =
        std::make_unique<RepositoryPoller>(options_.poll_interval, [this] { Poll(false, [] {}); });
  }
  return OkStatus();
}

bool ModelManager::Impl::AllLoaded() const {
  std::lock_guard lock(mutex_);
  return started_ && !start_failed_;
}

Result<std::vector<std::string>> ModelManager::Impl::Targets(const std::string& name) const {
  if (options_.namespaces) {
    return namespaces_.Targets(name);
  }
  HEADRACE_RETURN_IF_ERROR(CheckModelName(name));
  return std::vector<std::string>{name};
}

// At once, so that operations keep their order, unless the file system must be asked: the caller is
// an event loop.
void ModelManager::Impl::WithTargets(const std::string& name, UseTargets use) {
  if (options_.control_mode != ControlMode::kExplicit) {
    use(Unavailable("{}", kNotExplicit));
  } else if (!options_.namespaces || engine::HasNamespace(name)) {
    use(Targets(name));
  } else {
    pool_->Post([this, name, use = std::move(use)] { use(Targets(name)); });
  }
}

Status ModelManager::Impl::CheckOverride(const LoadOverride& override) const {
  HEADRACE_RETURN_IF_ERROR(CheckOverrideFiles(override.files, options_.allow_code_override));
  if (!override.files.empty() && override.config_json.empty()) {
    return InvalidArgument("'config' must be given together with 'file:' parameters");
  }
  return OkStatus();
}

// `done`, counted until it has been called; null when the manager ends.
Done ModelManager::Impl::Counted(Done done) {
  if (!gate_.TryEnter()) {
    done(Unavailable("{}", ModelControl::kStopping));
    return nullptr;
  }
  return [this, done = std::move(done)](const Status& status) {
    done(status);
    gate_.Leave();
  };
}

void ModelManager::Impl::LoadAsync(std::string name, LoadOverride override, Done done) {
  done = Counted(std::move(done));
  if (done == nullptr) {
    return;
  }
  WithTargets(name, [this, name, override = std::move(override),
                     done = std::move(done)](const auto& targets) mutable {
    Status status = targets.ok() ? CheckOverride(override) : targets.status();
    if (status.ok() && targets->size() > 1 && !override.files.empty()) {
      status = InvalidArgument(
          "files are for one model, and there are {} called '{}'; name the model repository",
          targets->size(), name);
    }
    if (!status.ok()) {
      pool_->Post([done = std::move(done), status = std::move(status)] { done(status); });
      return;
    }
    const Done each = ForEach(targets->size(), std::move(done));
    for (const std::string& key : *targets) {
      control_.Load(key, {override.config_json, std::exchange(override.files, {})}, each);
    }
  });
}

void ModelManager::Impl::UnloadAsync(std::string name, bool unload_dependents, Done done) {
  done = Counted(std::move(done));
  if (done == nullptr) {
    return;
  }
  WithTargets(name, [this, unload_dependents, done = std::move(done)](const auto& targets) mutable {
    if (!targets.ok()) {
      pool_->Post([done = std::move(done), status = targets.status()] { done(status); });
      return;
    }
    const Done each = ForEach(targets->size(), std::move(done));
    for (const std::string& key : *targets) {
      control_.Unload(key, unload_dependents, each);
    }
  });
}

std::vector<scaling::ScalableVersion> ModelManager::Impl::OnlineVersions() const {
  std::vector<scaling::ScalableVersion> versions;
  for (const auto& [key, entry] : registry_.Load()->models()) {
    for (const auto& [number, state] : entry->versions) {
      const engine::ModelHandle& model = state.model;
      // Others than this manager write to the registry, too.
      if (state.state != engine::ModelState::kReady || model == nullptr ||
          !model->options().online || board_.Find(key, number) != model) {
        continue;
      }
      const engine::OnlineOptions& online = *model->options().online;
      versions.push_back({.name = key,
                          .version = std::to_string(number),
                          .worker_count = static_cast<std::int64_t>(model->instance_count()),
                          .worker_count_min = online.instance_count_min,
                          .worker_count_max = online.instance_count_max,
                          .batch_size = model->options().batching.batch_size_max,
                          .model = model});
    }
  }
  return versions;
}

void ModelManager::Impl::ResizeAsync(const scaling::ScalableVersion& version,
                                     std::int64_t instance_count, Done done) {
  done = Counted(std::move(done));
  if (done != nullptr) {
    control_.Resize(version.name, version.model->version(), version.model, instance_count,
                    std::move(done));
  }
}

void ModelManager::Impl::Poll(bool settled, std::function<void()> when_done) {
  const Done counted = Counted([when_done = std::move(when_done)](const Status&) { when_done(); });
  if (counted == nullptr) {
    return;
  }
  const auto done = [counted] { counted(OkStatus()); };
  PollTracker::Changes changes;
  {
    std::lock_guard lock(poll_mutex_);
    const RepositoryScan scan = ScanRepositories(*repositories_.Load(), layout_options());
    const PollTracker::Look look = LookAt(scan, options_.links_may_leave);
    for (const auto& [repository, reason] : scan.unreadable) {
      if (unreadable_.count(repository) == 0) {
        HEADRACE_LOG_ERROR("cannot list model repository '{}', its models stay as they are: {}",
                           EscapeForLog(repository), reason);
      }
    }
    unreadable_ = look.unreadable;
    changes = tracker_.Compare(look, settled);
  }
  const auto arrived = WhenAll(changes.load.size() + changes.unload.size(), done);
  control_.LoadAll({changes.load.begin(), changes.load.end()}, MissingParts::kAwait,
                   [arrived](const Status&) { arrived(); });
  for (const std::string& name : changes.unload) {
    HEADRACE_LOG_INFO("'{}' has gone from the model repository", EscapeForLog(name, 256));
    control_.Unload(name, false, [arrived](const Status&) { arrived(); });
  }
}

Status ModelManager::Impl::PollOnce(bool settled) {
  if (options_.control_mode != ControlMode::kPoll) {
    return Unavailable("polling is disabled");
  }
  std::latch done(1);
  Poll(settled, [&done] { done.count_down(); });
  done.wait();
  return OkStatus();
}

Status ModelManager::Impl::RegisterRepository(const std::string& path,
                                              const std::vector<NameMapping>& mapping) {
  if (options_.control_mode != ControlMode::kExplicit) {
    return Unimplemented(
        "repository registration is not allowed if model control mode is not EXPLICIT");
  }
  return repositories_.Register(path, mapping);
}

Status ModelManager::Impl::UnregisterRepository(const std::string& path) {
  if (options_.control_mode != ControlMode::kExplicit) {
    return Unimplemented(
        "repository unregistration is not allowed if model control mode is not EXPLICIT");
  }
  return repositories_.Unregister(path);
}

std::vector<IndexEntry> ModelManager::Impl::Index(bool ready_only) const {
  RepositoryScan scan;
  if (!ready_only) {
    if (options_.control_mode == ControlMode::kExplicit) {
      scan = ScanRepositories(*repositories_.Load(), layout_options());
    }
    const auto faults = records_.Faults();
    scan.problems.insert(faults.begin(), faults.end());
  }
  return BuildIndex(*registry_.Load(), scan, ready_only);
}

Result<std::vector<IndexEntry>> ModelManager::Impl::IndexOf(std::string_view repository,
                                                            bool ready_only) const {
  if (!options_.namespaces) {
    return InvalidArgument("repositories are no namespaces; start with --model-namespacing=true");
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string name_space, namespaces_.Find(repository));
  std::vector<IndexEntry> entries = Index(ready_only);
  std::erase_if(entries, [&](const IndexEntry& entry) { return entry.name_space != name_space; });
  return entries;
}

bool ModelManager::Impl::Ready(bool strict) const {
  {
    std::lock_guard lock(mutex_);
    if (!started_ || stopping_) {
      return false;
    }
  }
  return !strict || (!records_.HasFaults() && AllInOrder(*registry_.Load()));
}

bool ModelManager::Impl::Shutdown(Nanos timeout) {
  const Nanos now = Clock::Real().Now();
  const Nanos deadline = timeout < kNever - now ? now + std::max<Nanos>(timeout, 0) : kNever;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (poller_ != nullptr) {
    poller_->Stop();
  }
  // What waits for its turn is refused; what loads may finish.
  control_.Close();
  gate_.Close();
  const bool idle = control_.WaitUntilIdle(timeout) && gate_.WaitUntilEmpty(TimeLeft(deadline));
  board_.SetBatching(true);
  board_.WithdrawAll();
  const bool drained = board_.WaitUntilDrained(deadline);
  board_.SetBatching(false);
  return drained && idle;
}

ModelManager::ModelManager(ModelManagerOptions options, engine::BackendProvider& backends,
                           engine::Registry& registry, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), backends, registry, clock)) {}
ModelManager::~ModelManager() = default;
Status ModelManager::LoadAtStart() { return impl_->LoadAtStart(); }
bool ModelManager::AllLoaded() const { return impl_->AllLoaded(); }
void ModelManager::LoadAsync(std::string name, LoadOverride override,
                             std::function<void(Status)> done) {
  impl_->LoadAsync(std::move(name), std::move(override), std::move(done));
}
void ModelManager::UnloadAsync(std::string name, bool unload_dependents,
                               std::function<void(Status)> done) {
  impl_->UnloadAsync(std::move(name), unload_dependents, std::move(done));
}
std::vector<scaling::ScalableVersion> ModelManager::OnlineVersions() const {
  return impl_->OnlineVersions();
}
void ModelManager::ResizeAsync(const scaling::ScalableVersion& version, std::int64_t instance_count,
                               std::function<void(Status)> done) {
  impl_->ResizeAsync(version, instance_count, std::move(done));
}
Status ModelManager::PollOnce(bool settled) { return impl_->PollOnce(settled); }
Status ModelManager::RegisterRepository(const std::string& path,
                                        const std::vector<NameMapping>& mapping) {
  return impl_->RegisterRepository(path, mapping);
}
Status ModelManager::UnregisterRepository(const std::string& path) {
  return impl_->UnregisterRepository(path);
}
std::vector<IndexEntry> ModelManager::Index(bool ready_only) const {
  return impl_->Index(ready_only);
}
Result<std::vector<IndexEntry>> ModelManager::IndexOf(std::string_view repository,
                                                      bool ready_only) const {
  return impl_->IndexOf(repository, ready_only);
}
bool ModelManager::Ready(bool strict) const { return impl_->Ready(strict); }
bool ModelManager::Shutdown(Nanos timeout) { return impl_->Shutdown(timeout); }
const ModelManagerOptions& ModelManager::options() const { return impl_->options(); }

}  // namespace headrace::repository

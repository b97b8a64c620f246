#include "repository/model_manager.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <mutex>
#include <set>
#include <utility>

#include "base/gate.h"
#include "base/log.h"
#include "repository/ensemble_parts.h"
#include "repository/layout.h"
#include "repository/model_index.h"
#include "repository/model_loader.h"
#include "repository/model_plan.h"
#include "repository/model_records.h"
#include "repository/names.h"
#include "repository/override_rules.h"
#include "repository/override_store.h"
#include "repository/poll_tracker.h"
#include "repository/repository_look.h"
#include "repository/repository_poller.h"
#include "repository/serial_executor.h"
#include "repository/version_board.h"
#include "repository/version_loader.h"
#include "repository/worker_pool.h"

namespace headrace::repository {
namespace {

using Done = std::function<void(Status)>;

constexpr char kNotExplicit[] = "explicit model load / unload is not allowed if polling is enabled";
constexpr char kStopping[] = "the server is shutting down";
constexpr char kAllModels[] = "*";

Nanos TimeLeft(Nanos deadline) {
  return deadline == kNever ? kNever : std::max<Nanos>(0, deadline - Clock::Real().Now());
}

// What `count` others call when they are done; `done` then, and at once for none.
std::function<void()> WhenAll(std::size_t count, std::function<void()> done) {
  if (count == 0) {
    done();
    return nullptr;
  }
  auto left = std::make_shared<std::atomic<std::size_t>>(count);
  return [left, done = std::move(done)] {
    if (left->fetch_sub(1) == 1) {
      done();
    }
  };
}

}  // namespace

class ModelManager::Impl {
 public:
  Impl(ModelManagerOptions options, engine::BackendProvider& backends, engine::Registry& registry,
       const Clock& clock)
      : options_(std::move(options)),
        registry_(registry),
        overrides_({options_.temporary_directory, options_.override_byte_size_max}),
        board_(registry, options_.unload_timeout),
        parts_(repositories_, plan_options(), board_, records_),
        versions_({{options_.queue_request_count_max, options_.queue_byte_size_max},
                   options_.links_may_leave},
                  backends, clock),
        pool_(std::make_unique<WorkerPool>("load", options_.load_thread_count)),
        loader_({options_.load_retry_count, options_.links_may_leave}, versions_, board_, records_,
                *pool_),
        executor_(*pool_) {}

  ~Impl();

  Status LoadAtStart();
  bool AllLoaded() const;
  void LoadAsync(std::string name, LoadOverride override, Done done);
  void UnloadAsync(std::string name, bool unload_dependents, Done done);
  Status PollOnce(bool settled);
  std::vector<IndexEntry> Index(bool ready_only) const;
  bool Ready(bool strict) const;
  bool Shutdown(Nanos timeout);
  const ModelManagerOptions& options() const { return options_; }

 private:
  // What a load does about models that an ensemble is made of and that do not serve.
  enum class Parts : std::uint8_t {
    kLoad,   // loads them
    kAwait,  // lets loads of them that were asked for before finish
    kTaken,  // has done so
  };

  // One load of one model on its way through the pool.
  struct Load {
    std::string name;
    LoadOverride override;
    std::optional<ModelSource> source;  // in place of the repository and `override`
    bool has_files = false;             // `source` was made of the override's files
    Parts parts = Parts::kLoad;
    bool unloaded = false;  // the model was unloaded meanwhile; guarded by mutex_
    Done done;
  };
  using Operations = std::vector<std::pair<std::string, SerialExecutor::Operation>>;

  LayoutOptions layout_options() const { return {options_.links_may_leave}; }
  PlanOptions plan_options() const;
  bool LoadsEverything() const;
  Result<std::set<std::string>> StartupModels();
  Status RefuseControl(const std::string& name) const;
  Status CheckOverride(const LoadOverride& override) const;
  Done Counted(Done done);

  void Submit(Load load);
  SerialExecutor::Operation LoadOperation(std::shared_ptr<Load> load);
  void Begin(const std::shared_ptr<Load>& load, const SerialExecutor::Finish& finish);
  Result<ModelPlan> Plan(Load& load);
  Result<ModelSource> Source(Load& load);
  void Fail(const Load& load, const Status& status);
  void FetchParts(const std::shared_ptr<Load>& load, const std::vector<ComposingModel>& missing);
  bool ForgetFetching(const std::shared_ptr<Load>& load);

  // Afterwards `done`. What happens to a model may happen to the ensembles that need it.
  void UpdateEnsembles(const std::string& model, std::function<void()> done);
  void UpdateEnsemble(const std::string& ensemble, std::function<void()> done);

  void SubmitUnload(const std::string& name, bool unload_dependents, Done done);
  void Unload(const std::string& name);

  // One look; `done` when everything that it found is done.
  void Poll(bool settled, std::function<void()> done);

  const ModelManagerOptions options_;
  engine::Registry& registry_;
  std::vector<std::string> repositories_;  // canonical; set by LoadAtStart before any operation
  OverrideStore overrides_;
  ModelRecords records_;
  Gate gate_;  // operations whose `done` has not been called
  mutable std::mutex mutex_;
  bool start_failed_ = false;  // guarded by mutex_
  bool started_ = false;       // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  std::multimap<std::string, std::shared_ptr<Load>>
      fetching_;                      // loads that wait for composing models; guarded by mutex_
  std::mutex poll_mutex_;             // one look at a time
  PollTracker tracker_;               // guarded by poll_mutex_
  std::set<std::string> unreadable_;  // repositories, at the last look; guarded by poll_mutex_
  VersionBoard board_;
  EnsembleParts parts_;
  VersionLoader versions_;
  std::unique_ptr<WorkerPool> pool_;  // its tasks use the rest: gone first
  ModelLoader loader_;
  SerialExecutor executor_;
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
          .allow_code_override = options_.allow_code_override};
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
    for (const std::string& name : listed) {
      HEADRACE_RETURN_IF_ERROR(CheckModelName(name));
    }
    return std::set<std::string>(listed.begin(), listed.end());
  }
  const RepositoryScan scan = ScanRepositories(repositories_, layout_options());
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
  HEADRACE_ASSIGN_OR_RETURN(repositories_, OpenRepositories(options_.repository_paths));
  if (options_.control_mode == ControlMode::kExplicit) {
    overrides_.RemoveStale();
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::set<std::string> names, StartupModels());
  board_.SetBatching(true);
  std::latch loaded(static_cast<std::ptrdiff_t>(names.size()));
  std::atomic<bool> failed{false};
  Operations operations;
  for (const std::string& name : names) {
    Load load{.name = name, .override = {}, .source = {}, .done = [&](const Status& status) {
                if (!status.ok()) {
                  failed = true;
                }
                loaded.count_down();
              }};
    load.parts = LoadsEverything() ? Parts::kAwait : Parts::kLoad;
    operations.emplace_back(name, LoadOperation(std::make_shared<Load>(std::move(load))));
  }
  if (executor_.SubmitAll(std::move(operations))) {
    loaded.wait();
  }
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

Status ModelManager::Impl::RefuseControl(const std::string& name) const {
  if (options_.control_mode != ControlMode::kExplicit) {
    return Unavailable("{}", kNotExplicit);
  }
  return CheckModelName(name);
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
    done(Unavailable("{}", kStopping));
    return nullptr;
  }
  return [this, done = std::move(done)](const Status& status) {
    done(status);
    gate_.Leave();
  };
}

void ModelManager::Impl::LoadAsync(std::string name, LoadOverride override, Done done) {
  Status status = RefuseControl(name);
  status = status.ok() ? CheckOverride(override) : std::move(status);
  done = Counted(std::move(done));
  if (done == nullptr) {
    return;
  }
  if (!status.ok()) {
    pool_->Post([done = std::move(done), status = std::move(status)] { done(status); });
    return;
  }
  Submit({.name = std::move(name),
          .override = std::move(override),
          .source = {},
          .done = std::move(done)});
}

void ModelManager::Impl::Submit(Load load) {
  const auto shared = std::make_shared<Load>(std::move(load));
  if (!executor_.Submit(shared->name, LoadOperation(shared))) {
    shared->done(Unavailable("{}", kStopping));
  }
}

SerialExecutor::Operation ModelManager::Impl::LoadOperation(std::shared_ptr<Load> load) {
  return
      [this, load = std::move(load)](const SerialExecutor::Finish& finish) { Begin(load, finish); };
}

void ModelManager::Impl::Begin(const std::shared_ptr<Load>& load,
                               const SerialExecutor::Finish& finish) {
  if (ForgetFetching(load)) {
    finish();
    load->done(Unavailable("'{}' was unloaded while its composing models were loaded", load->name));
    return;
  }
  auto plan = Plan(*load);
  if (plan.ok() && !plan->parts.empty() && load->parts != Parts::kTaken) {
    if (const auto missing = parts_.Missing(plan->parts); !missing.empty()) {
      finish();  // nothing is held meanwhile
      FetchParts(load, missing);
      return;
    }
  }
  Status status = plan.status();
  if (status.ok()) {
    // From now on the model is wanted: it comes back when a part does.
    records_.SetParts(load->name, plan->parts);
    status = parts_.Fault(load->name, plan->parts);
  }
  if (!status.ok()) {
    finish();
    plan = status;  // files that came with the request go before anybody hears of the result
    load->source.reset();
    Fail(*load, status);
    return;
  }
  records_.ClearFault(load->name);
  for (const std::string& warning : plan->warnings) {
    HEADRACE_LOG_WARNING("model '{}': {}", load->name, warning);
  }
  load->source.reset();
  loader_.Load(*std::move(plan), [this, load, finish](const Status& loaded) {
    finish();
    UpdateEnsembles(load->name, [load, loaded] { load->done(loaded); });
  });
}

// Where the model is to be loaded from. Makes the directory for files of the request, which are
// gone from `load` then.
Result<ModelSource> ModelManager::Impl::Source(Load& load) {
  if (load.source) {
    return *load.source;
  }
  LoadOverride& override = load.override;
  if (!override.files.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(load.source,
                              overrides_.Create(load.name, override.config_json, override.files));
    override.files.clear();
    load.has_files = true;
    return *load.source;
  }
  HEADRACE_ASSIGN_OR_RETURN(ModelLocation location,
                            FindModel(repositories_, load.name, layout_options()));
  return ModelSource{
      std::move(location),
      override.config_json.empty() ? std::nullopt : std::optional(override.config_json), nullptr};
}

Result<ModelPlan> ModelManager::Impl::Plan(Load& load) {
  // The file system's functions may throw when memory runs out.
  try {
    HEADRACE_ASSIGN_OR_RETURN(ModelSource source, Source(load));
    HEADRACE_ASSIGN_OR_RETURN(ModelPlan plan, PlanModel(std::move(source), plan_options()));
    HEADRACE_RETURN_IF_ERROR(parts_.Check(plan));
    return plan;
  } catch (const std::exception& error) {
    return Internal("{}", error.what());
  }
}

void ModelManager::Impl::Fail(const Load& load, const Status& status) {
  const std::string reason = IndexReason(status);
  HEADRACE_LOG_ERROR("failed to load '{}': {}", load.name, reason);
  if (status.code() == StatusCode::kResourceExhausted ||
      status.code() == StatusCode::kPermissionDenied) {
    load.done(status);  // a refusal, and no fault of the repository
    return;
  }
  if (status.code() != StatusCode::kNotFound && !load.has_files &&
      board_.ReadyVersions(load.name).empty()) {
    records_.SetFault(load.name, reason);
  }
  load.done(Internal("failed to load '{}', failed to poll from model repository: {}", load.name,
                     status.message()));
}

void ModelManager::Impl::FetchParts(const std::shared_ptr<Load>& load,
                                    const std::vector<ComposingModel>& missing) {
  std::set<std::string> names;
  for (const ComposingModel& part : missing) {
    names.insert(part.name);
  }
  const bool loads = load->parts == Parts::kLoad;
  load->parts = Parts::kTaken;
  {
    std::lock_guard lock(mutex_);
    fetching_.emplace(load->name, load);
  }
  const auto arrived = WhenAll(names.size(), [this, load] {
    if (!executor_.Submit(load->name, LoadOperation(load))) {
      ForgetFetching(load);
      load->done(Unavailable("{}", kStopping));
    }
  });
  for (const std::string& name : names) {
    if (loads) {
      // Its own failure is in the log; the ensemble finds it missing.
      Submit({.name = name, .override = {}, .source = {}, .done = [arrived](const Status&) {
                arrived();
              }});
    } else if (!executor_.Submit(name, [arrived](const SerialExecutor::Finish& finish) {
                 finish();
                 arrived();
               })) {
      arrived();
    }
  }
}

// True if the model was unloaded while `load` waited for parts.
bool ModelManager::Impl::ForgetFetching(const std::shared_ptr<Load>& load) {
  std::lock_guard lock(mutex_);
  const auto [begin, end] = fetching_.equal_range(load->name);
  const auto found =
      std::find_if(begin, end, [&](const auto& entry) { return entry.second == load; });
  if (found != end) {
    fetching_.erase(found);
  }
  return load->unloaded;
}

void ModelManager::Impl::UpdateEnsembles(const std::string& model, std::function<void()> done) {
  const auto ensembles = records_.EnsemblesOf(model);
  const auto arrived = WhenAll(ensembles.size(), std::move(done));
  for (const std::string& ensemble : ensembles) {
    UpdateEnsemble(ensemble, arrived);
  }
}

void ModelManager::Impl::UpdateEnsemble(const std::string& ensemble, std::function<void()> done) {
  auto operation = [this, ensemble, done](const SerialExecutor::Finish& finish) {
    const auto parts = records_.PartsOf(ensemble);
    const Status fault = parts_.Fault(ensemble, parts);
    const auto ready = board_.ReadyVersions(ensemble);
    if (!fault.ok() && !ready.empty()) {
      HEADRACE_LOG_WARNING("'{}' is not served any more: {}", ensemble, fault.message());
      for (const std::int64_t version : ready) {
        board_.Withdraw(ensemble, version, fault.message());
      }
      finish();
      UpdateEnsembles(ensemble, done);
      return;
    }
    if (fault.ok() && ready.empty() && !parts.empty()) {
      const auto served = records_.Served(ensemble);
      const auto load = std::make_shared<Load>(
          Load{.name = ensemble,
               .override = {},
               .source = served == nullptr ? std::nullopt : std::optional(served->source),
               .parts = Parts::kTaken,
               .done = [done](const Status&) { done(); }});
      Begin(load, finish);
      return;
    }
    finish();
    done();
  };
  if (!executor_.Submit(ensemble, std::move(operation))) {
    done();
  }
}

void ModelManager::Impl::UnloadAsync(std::string name, bool unload_dependents, Done done) {
  Status refused = RefuseControl(name);
  done = Counted(std::move(done));
  if (done == nullptr) {
    return;
  }
  if (!refused.ok()) {
    pool_->Post([done = std::move(done), refused = std::move(refused)] { done(refused); });
    return;
  }
  SubmitUnload(name, unload_dependents, std::move(done));
}

void ModelManager::Impl::SubmitUnload(const std::string& name, bool unload_dependents, Done done) {
  const bool taken = executor_.Submit(name, [this, name, unload_dependents,
                                             done](const SerialExecutor::Finish& finish) {
    const auto parts = unload_dependents ? records_.NeededOnlyBy(name) : std::vector<std::string>();
    Unload(name);
    finish();
    const auto arrived = WhenAll(parts.size() + 1, [done] { done(OkStatus()); });
    for (const std::string& part : parts) {
      SubmitUnload(part, false, [arrived](const Status&) { arrived(); });
    }
    UpdateEnsembles(name, arrived);
  });
  if (!taken) {
    done(Unavailable("{}", kStopping));
  }
}

void ModelManager::Impl::Unload(const std::string& name) {
  for (const std::int64_t version : board_.KnownVersions(name)) {
    board_.Withdraw(name, version);
  }
  records_.Forget(name);
  std::lock_guard lock(mutex_);
  const auto [begin, end] = fetching_.equal_range(name);
  std::for_each(begin, end, [](const auto& entry) { entry.second->unloaded = true; });
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
    const RepositoryScan scan = ScanRepositories(repositories_, layout_options());
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
  Operations operations;
  for (const std::string& name : changes.load) {
    operations.emplace_back(name, LoadOperation(std::make_shared<Load>(
                                      Load{.name = name,
                                           .override = {},
                                           .source = {},
                                           .parts = Parts::kAwait,
                                           .done = [arrived](const Status&) { arrived(); }})));
  }
  if (!executor_.SubmitAll(std::move(operations))) {
    for (std::size_t i = 0; i < changes.load.size(); ++i) {
      arrived();
    }
  }
  for (const std::string& name : changes.unload) {
    HEADRACE_LOG_INFO("'{}' has gone from the model repository", EscapeForLog(name, 256));
    SubmitUnload(name, false, [arrived](const Status&) { arrived(); });
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

std::vector<IndexEntry> ModelManager::Impl::Index(bool ready_only) const {
  RepositoryScan scan;
  if (!ready_only) {
    if (options_.control_mode == ControlMode::kExplicit) {
      scan = ScanRepositories(repositories_, layout_options());
    }
    const auto faults = records_.Faults();
    scan.problems.insert(faults.begin(), faults.end());
  }
  return BuildIndex(*registry_.Load(), scan, ready_only);
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
  executor_.Close();
  gate_.Close();
  const bool idle = executor_.WaitUntilIdle(timeout) && gate_.WaitUntilEmpty(TimeLeft(deadline));
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
Status ModelManager::PollOnce(bool settled) { return impl_->PollOnce(settled); }
std::vector<IndexEntry> ModelManager::Index(bool ready_only) const {
  return impl_->Index(ready_only);
}
bool ModelManager::Ready(bool strict) const { return impl_->Ready(strict); }
bool ModelManager::Shutdown(Nanos timeout) { return impl_->Shutdown(timeout); }
const ModelManagerOptions& ModelManager::options() const { return impl_->options(); }

}  // namespace headrace::repository

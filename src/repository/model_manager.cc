#include "repository/model_manager.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <latch>
#include <mutex>
#include <set>
#include <utility>

#include "base/log.h"
#include "repository/layout.h"
#include "repository/model_index.h"
#include "repository/model_plan.h"
#include "repository/names.h"
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

// A failure in the words of the index ("Invalid argument: ...").
std::string Reason(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return "Invalid argument: " + status.message();
    case StatusCode::kInternal:
      return "Internal: " + status.message();
    case StatusCode::kUnimplemented:
      return "Unsupported: " + status.message();
    case StatusCode::kNotFound:
      return "Not found: " + status.message();
    case StatusCode::kUnavailable:
      return "Unavailable: " + status.message();
    case StatusCode::kAlreadyExists:
      return "Already exists: " + status.message();
    default:
      return status.ToString();
  }
}

// `load` with whatever it throws as a failure: a model must not end the thread that loads it.
template <typename Load>
auto Guarded(Load load) -> decltype(load()) {
  try {
    return load();
  } catch (const std::exception& error) {
    return Internal("{}", error.what());
  }
}

}  // namespace

class ModelManager::Impl {
 public:
  Impl(ModelManagerOptions options, engine::BackendProvider& backends, engine::Registry& registry,
       const Clock& clock)
      : options_(std::move(options)),
        registry_(registry),
        board_(registry, options_.unload_timeout),
        loader_({{options_.queue_request_count_max, options_.queue_byte_size_max},
                 options_.links_may_leave},
                backends, clock),
        pool_(std::make_unique<WorkerPool>("load", options_.load_thread_count)),
        executor_(*pool_) {}

  ~Impl();

  Status LoadAtStart();
  bool AllLoaded() const;
  void LoadAsync(std::string name, LoadOverride override, Done done);
  void UnloadAsync(std::string name, Done done);
  std::vector<IndexEntry> Index(bool ready_only) const;
  bool Ready(bool strict) const;
  bool Shutdown(Nanos timeout);
  const ModelManagerOptions& options() const { return options_; }

 private:
  // One load of one model on its way through the pool.
  struct Load {
    std::string name;
    LoadOverride override;
    Done done;
    SerialExecutor::Finish finish;
    ModelPlan plan;
    std::vector<Result<engine::ModelHandle>> models;  // one for each version of the plan
    std::atomic<std::size_t> remaining{0};            // versions that are still loading
  };

  LayoutOptions layout_options() const { return {options_.links_may_leave}; }
  Result<std::set<std::string>> StartupModels();
  Status RefuseControl(const std::string& name) const;
  void Submit(std::string name, LoadOverride override, Done done);
  void Begin(const std::shared_ptr<Load>& load);
  Result<ModelPlan> Plan(const Load& load) const;
  bool Unchanged(const ModelPlan& plan) const;
  void LoadVersion(const std::shared_ptr<Load>& load, std::size_t index);
  void Conclude(Load& load);
  void PublishAll(Load& load);
  Status RejectAll(Load& load);
  void Unload(const std::string& name);
  void SetFault(const std::string& name, const std::string& reason);
  void ClearFault(const std::string& name);

  const ModelManagerOptions options_;
  engine::Registry& registry_;
  std::vector<std::string> repositories_;  // canonical; set by LoadAtStart before any operation
  mutable std::mutex mutex_;
  std::map<std::string, std::string>
      faults_;  // models without a usable plan: why; guarded by mutex_
  std::map<std::string, std::uint64_t>
      fingerprints_;           // of the plan that is served; guarded by mutex_
  bool start_failed_ = false;  // guarded by mutex_
  bool started_ = false;       // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  VersionBoard board_;
  VersionLoader loader_;
  std::unique_ptr<WorkerPool> pool_;  // its tasks use the rest: gone first
  SerialExecutor executor_;
};

ModelManager::Impl::~Impl() {
  (void)Shutdown(options_.unload_timeout);
  // A load that outlived the time above may have published since.
  pool_.reset();
  board_.WithdrawAll();
}

Result<std::set<std::string>> ModelManager::Impl::StartupModels() {
  const auto& listed = options_.startup_models;
  const bool all = std::find(listed.begin(), listed.end(), kAllModels) != listed.end();
  if (all && listed.size() > 1) {
    return InvalidArgument(
        "'*' must be the only model to load at start, it stands for all of them");
  }
  if (options_.control_mode == ControlMode::kExplicit && !all) {
    for (const std::string& name : listed) {
      HEADRACE_RETURN_IF_ERROR(CheckModelName(name));
    }
    return std::set<std::string>(listed.begin(), listed.end());
  }
  HEADRACE_ASSIGN_OR_RETURN(const RepositoryScan scan,
                            ScanRepositories(repositories_, layout_options()));
  std::set<std::string> names;
  for (const auto& [name, location] : scan.models) {
    names.insert(name);
  }
  for (const auto& [name, problem] : scan.problems) {
    HEADRACE_LOG_ERROR("model directory '{}' is not served: {}", EscapeForLog(name, 256), problem);
    SetFault(name, problem);
  }
  return names;
}

Status ModelManager::Impl::LoadAtStart() {
  if (options_.control_mode == ControlMode::kPoll) {
    return Unimplemented(
        "model control mode 'poll' is not supported yet, use 'none' or 'explicit'");
  }
  HEADRACE_ASSIGN_OR_RETURN(repositories_, OpenRepositories(options_.repository_paths));
  HEADRACE_ASSIGN_OR_RETURN(const std::set<std::string> names, StartupModels());
  board_.SetBatching(true);
  std::latch loaded(static_cast<std::ptrdiff_t>(names.size()));
  for (const std::string& name : names) {
    Submit(name, LoadOverride(), [this, &loaded](const Status& status) {
      if (!status.ok()) {
        std::lock_guard lock(mutex_);
        start_failed_ = true;
      }
      loaded.count_down();
    });
  }
  loaded.wait();
  board_.SetBatching(false);
  std::lock_guard lock(mutex_);
  start_failed_ = start_failed_ || !faults_.empty();
  started_ = true;
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

void ModelManager::Impl::LoadAsync(std::string name, LoadOverride override, Done done) {
  Status status = RefuseControl(name);
  if (status.ok() && !override.files.empty()) {
    status = Unimplemented(
        "loading a model from files in the request ('file:' parameters) is not supported");
  }
  if (!status.ok()) {
    pool_->Post([done = std::move(done), status = std::move(status)] { done(status); });
    return;
  }
  Submit(std::move(name), std::move(override), std::move(done));
}

void ModelManager::Impl::Submit(std::string name, LoadOverride override, Done done) {
  const auto load = std::make_shared<Load>();
  load->name = std::move(name);
  load->override = std::move(override);
  load->done = std::move(done);
  const bool taken = executor_.Submit(load->name, [this, load](SerialExecutor::Finish finish) {
    load->finish = std::move(finish);
    Begin(load);
  });
  if (!taken) {
    load->done(Unavailable("{}", kStopping));
  }
}

void ModelManager::Impl::Begin(const std::shared_ptr<Load>& load) {
  auto plan = Guarded([&] { return Plan(*load); });
  if (!plan.ok()) {
    HEADRACE_LOG_ERROR("failed to load '{}': {}", load->name, Reason(plan.status()));
    if (plan.status().code() != StatusCode::kNotFound && board_.ReadyVersions(load->name).empty()) {
      SetFault(load->name, Reason(plan.status()));
    }
    load->done(Internal("failed to load '{}', failed to poll from model repository: {}", load->name,
                        plan.status().message()));
    load->finish();
    return;
  }
  load->plan = *std::move(plan);
  ClearFault(load->name);
  for (const std::string& warning : load->plan.warnings) {
    HEADRACE_LOG_WARNING("model '{}': {}", load->name, warning);
  }
  if (Unchanged(load->plan)) {
    load->done(OkStatus());
    load->finish();
    return;
  }
  const std::size_t count = load->plan.versions.size();
  load->models.assign(count, Result<engine::ModelHandle>(Internal("not loaded")));
  load->remaining = count;
  for (const std::int64_t version : load->plan.versions) {
    board_.MarkLoading(load->name, version);
  }
  for (std::size_t i = 1; i < count; ++i) {
    pool_->Post([this, load, i] { LoadVersion(load, i); });
  }
  LoadVersion(load, 0);
}

Result<ModelPlan> ModelManager::Impl::Plan(const Load& load) const {
  HEADRACE_ASSIGN_OR_RETURN(const ModelLocation location,
                            FindModel(repositories_, load.name, layout_options()));
  const PlanOptions options = {.auto_complete_config = options_.auto_complete_config,
                               .model_config_name = options_.model_config_name,
                               .links_may_leave = options_.links_may_leave,
                               .accelerators = options_.accelerators};
  const std::string& config_json = load.override.config_json;
  return PlanModel(location, config_json.empty() ? nullptr : &config_json, options);
}

bool ModelManager::Impl::Unchanged(const ModelPlan& plan) const {
  if (board_.ReadyVersions(plan.location.name) != plan.versions) {
    return false;
  }
  std::lock_guard lock(mutex_);
  const auto found = fingerprints_.find(plan.location.name);
  return found != fingerprints_.end() && found->second == plan.fingerprint;
}

void ModelManager::Impl::LoadVersion(const std::shared_ptr<Load>& load, std::size_t index) {
  const std::int64_t version = load->plan.versions[index];
  HEADRACE_LOG_INFO("loading: {}:{}", load->name, version);
  auto& model = load->models[index];
  for (std::size_t attempt = 0; attempt <= options_.load_retry_count && !model.ok(); ++attempt) {
    model = Guarded([&] { return loader_.Load(load->plan, version); });
  }
  if (load->remaining.fetch_sub(1) == 1) {
    Conclude(*load);
  }
}

void ModelManager::Impl::Conclude(Load& load) {
  const bool all =
      std::all_of(load.models.begin(), load.models.end(), [](const auto& m) { return m.ok(); });
  Status status;
  if (all) {
    PublishAll(load);
  } else {
    status = RejectAll(load);
  }
  // Models that are not used end here, before anybody hears of the result.
  load.models.clear();
  load.done(std::move(status));
  load.finish();
}

void ModelManager::Impl::PublishAll(Load& load) {
  const auto& versions = load.plan.versions;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    board_.Publish(load.name, versions[i], *load.models[i]);
  }
  for (const std::int64_t version : board_.KnownVersions(load.name)) {
    if (!std::binary_search(versions.begin(), versions.end(), version)) {
      board_.Withdraw(load.name, version);
    }
  }
  {
    std::lock_guard lock(mutex_);
    fingerprints_[load.name] = load.plan.fingerprint;
  }
  HEADRACE_LOG_INFO("successfully loaded '{}'", load.name);
}

Status ModelManager::Impl::RejectAll(Load& load) {
  std::string text = fmt::format("load failed for model '{}': ", load.name);
  for (std::size_t i = 0; i < load.models.size(); ++i) {
    const std::int64_t version = load.plan.versions[i];
    if (load.models[i].ok()) {
      // It could serve, but a model is loaded as a whole or not at all.
      board_.MarkFailed(load.name, version, "unloaded");
      continue;
    }
    const std::string reason = Reason(load.models[i].status());
    HEADRACE_LOG_ERROR("failed to load '{}' version {}: {}", load.name, version, reason);
    board_.MarkFailed(load.name, version, reason);
    text += fmt::format("version {} is at UNAVAILABLE state: {};\n", version, reason);
  }
  return InvalidArgument("{}", text);
}

void ModelManager::Impl::UnloadAsync(std::string name, Done done) {
  Status refused = RefuseControl(name);
  if (!refused.ok()) {
    pool_->Post([done = std::move(done), refused = std::move(refused)] { done(refused); });
    return;
  }
  const bool taken = executor_.Submit(name, [this, name, done](SerialExecutor::Finish finish) {
    Unload(name);
    done(OkStatus());
    finish();
  });
  if (!taken) {
    done(Unavailable("{}", kStopping));
  }
}

void ModelManager::Impl::Unload(const std::string& name) {
  for (const std::int64_t version : board_.KnownVersions(name)) {
    board_.Withdraw(name, version);
  }
  ClearFault(name);
  std::lock_guard lock(mutex_);
  fingerprints_.erase(name);
}

void ModelManager::Impl::SetFault(const std::string& name, const std::string& reason) {
  std::lock_guard lock(mutex_);
  faults_[name] = reason;
}

void ModelManager::Impl::ClearFault(const std::string& name) {
  std::lock_guard lock(mutex_);
  faults_.erase(name);
}

std::vector<IndexEntry> ModelManager::Impl::Index(bool ready_only) const {
  RepositoryScan scan;
  if (!ready_only) {
    if (options_.control_mode == ControlMode::kExplicit) {
      if (auto found = ScanRepositories(repositories_, layout_options()); found.ok()) {
        scan = *std::move(found);
      }
    }
    std::lock_guard lock(mutex_);
    scan.problems.insert(faults_.begin(), faults_.end());
  }
  return BuildIndex(*registry_.Load(), scan, ready_only);
}

bool ModelManager::Impl::Ready(bool strict) const {
  {
    std::lock_guard lock(mutex_);
    if (!started_ || stopping_ || (strict && !faults_.empty())) {
      return false;
    }
  }
  return !strict || AllInOrder(*registry_.Load());
}

bool ModelManager::Impl::Shutdown(Nanos timeout) {
  const Nanos now = Clock::Real().Now();
  const Nanos deadline = timeout < kNever - now ? now + std::max<Nanos>(timeout, 0) : kNever;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  executor_.Close();
  const bool idle = executor_.WaitUntilIdle(timeout);
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
// Nothing depends on another model yet, so `unload_dependents` finds nothing to unload.
void ModelManager::UnloadAsync(std::string name, bool /*unload_dependents*/,
                               std::function<void(Status)> done) {
  impl_->UnloadAsync(std::move(name), std::move(done));
}
std::vector<IndexEntry> ModelManager::Index(bool ready_only) const {
  return impl_->Index(ready_only);
}
bool ModelManager::Ready(bool strict) const { return impl_->Ready(strict); }
bool ModelManager::Shutdown(Nanos timeout) { return impl_->Shutdown(timeout); }
const ModelManagerOptions& ModelManager::options() const { return impl_->options(); }

}  // namespace headrace::repository

#include "plugin/agent_host.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "plugin/agent_handle.h"
#include "plugin/library_call.h"
#include "plugin/values.h"

namespace fs = std::filesystem;
using headrace::InvalidArgument;
using headrace::OkStatus;
using headrace::Status;
using headrace::Unavailable;

Status TRITONREPOAGENT_AgentModel::Acquire() {
  if (!acquired.empty()) {
    return OkStatus();
  }
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "headrace_agent_XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return Unavailable("cannot make a directory for the agent: {}", path);
  }
  acquired = path;
  return OkStatus();
}

Status TRITONREPOAGENT_AgentModel::Release(const std::string& path) {
  if (acquired.empty() || path != acquired) {
    return InvalidArgument("'{}' is no location that the agent has acquired", path);
  }
  std::error_code error;
  fs::remove_all(acquired, error);
  acquired.clear();
  return error ? Unavailable("cannot remove '{}': {}", path, error.message()) : OkStatus();
}

namespace headrace::plugin {
namespace {

bool IsPlainName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

template <typename Function>
void FindEntry(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

class AgentLibrary {
 public:
  static Result<std::shared_ptr<AgentLibrary>> Open(const std::string& name,
                                                    const std::string& path) {
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* reason = dlerror();
      return Unavailable("unable to load shared library: {}", reason == nullptr ? path : reason);
    }
    auto library = std::make_shared<AgentLibrary>();
    library->agent.name = name;
    FindEntry(handle, "TRITONREPOAGENT_Initialize", &library->initialize);
    FindEntry(handle, "TRITONREPOAGENT_Finalize", &library->finalize);
    FindEntry(handle, "TRITONREPOAGENT_ModelInitialize", &library->model_initialize);
    FindEntry(handle, "TRITONREPOAGENT_ModelFinalize", &library->model_finalize);
    FindEntry(handle, "TRITONREPOAGENT_ModelAction", &library->model_action);
    if (library->model_action == nullptr) {
      return InvalidArgument(
          "unable to find required entrypoint 'TRITONREPOAGENT_ModelAction' in '{}'", path);
    }
    HEADRACE_RETURN_IF_ERROR(CallLibrary("Initialize", library->initialize, &library->agent));
    library->initialized = true;
    HEADRACE_LOG_INFO("repository agent '{}' loaded from {}", name, path);
    return library;
  }

  ~AgentLibrary() {
    const Status status = initialized ? CallLibrary("Finalize", finalize, &agent) : OkStatus();
    if (!status.ok()) {
      HEADRACE_LOG_ERROR("finalizing repository agent '{}': {}", agent.name, status.ToString());
    }
  }

  TRITONREPOAGENT_Agent agent;
  decltype(&TRITONREPOAGENT_Initialize) initialize = nullptr;
  decltype(&TRITONREPOAGENT_Finalize) finalize = nullptr;
  decltype(&TRITONREPOAGENT_ModelInitialize) model_initialize = nullptr;
  decltype(&TRITONREPOAGENT_ModelFinalize) model_finalize = nullptr;
  decltype(&TRITONREPOAGENT_ModelAction) model_action = nullptr;
  bool initialized = false;
};

namespace {

// One agent and one model, from LOAD to the end.
class AgentRun {
 public:
  AgentRun(std::shared_ptr<AgentLibrary> library, std::string model_name)
      : library_(std::move(library)), model_name_(std::move(model_name)) {}
  ~AgentRun() {
    if (initialized_) {
      LogFailure(CallLibrary("ModelFinalize", library_->model_finalize, &library_->agent, &model));
    }
    if (!model.acquired.empty()) {
      LogFailure(model.Release(std::string(model.acquired)));
    }
  }
  AgentRun(const AgentRun&) = delete;
  AgentRun& operator=(const AgentRun&) = delete;

  Status Load() {
    HEADRACE_RETURN_IF_ERROR(
        CallLibrary("ModelInitialize", library_->model_initialize, &library_->agent, &model));
    initialized_ = true;
    model.loading = true;
    loaded_ = true;
    Status status = CallLibrary("ModelAction", library_->model_action, &library_->agent, &model,
                                TRITONREPOAGENT_ACTION_LOAD);
    model.loading = false;
    return status;
  }
  // Of agents that have heard of LOAD.
  void Tell(TRITONREPOAGENT_ActionType action) {
    if (loaded_) {
      LogFailure(
          CallLibrary("ModelAction", library_->model_action, &library_->agent, &model, action));
    }
  }

  TRITONREPOAGENT_AgentModel model;

 private:
  void LogFailure(const Status& status) const {
    if (!status.ok()) {
      HEADRACE_LOG_ERROR("repository agent '{}' of model '{}': {}", library_->agent.name,
                         model_name_, status.ToString());
    }
  }

  const std::shared_ptr<AgentLibrary> library_;
  const std::string model_name_;
  bool initialized_ = false, loaded_ = false;
};

class PluginModelAgents final : public engine::ModelAgents {
 public:
  // What is still due says the state, so that every agent hears of every beginning's end.
  ~PluginModelAgents() override {
    Unload();
    TellLastFirst(state_ == State::kLoading ? TRITONREPOAGENT_ACTION_LOAD_FAIL
                                            : TRITONREPOAGENT_ACTION_UNLOAD_COMPLETE);
    while (!runs_.empty()) {
      runs_.pop_back();
    }
  }

  Status Add(std::shared_ptr<AgentLibrary> library, const engine::AgentTask& task,
             const engine::AgentSpec& spec) {
    runs_.push_back(std::make_unique<AgentRun>(std::move(library), task.model_name));
    TRITONREPOAGENT_AgentModel& model = runs_.back()->model;
    model.config_json = task.config_json;
    model.location = directory_;
    model.parameters.assign(spec.parameters.begin(), spec.parameters.end());
    HEADRACE_RETURN_IF_ERROR(runs_.back()->Load());
    directory_ = model.location;
    return OkStatus();
  }
  void Begin(std::string directory) { directory_ = std::move(directory); }

  const std::string& directory() const override { return directory_; }
  void LoadComplete() override {
    std::lock_guard lock(mutex_);
    if (state_ == State::kLoading) {
      state_ = State::kServing;
      TellLastFirst(TRITONREPOAGENT_ACTION_LOAD_COMPLETE);
    }
  }
  void Unload() override {
    std::lock_guard lock(mutex_);
    if (state_ == State::kServing) {
      state_ = State::kUnloading;
      for (const auto& run : runs_) {
        run->Tell(TRITONREPOAGENT_ACTION_UNLOAD);
      }
    }
  }

 private:
  enum class State { kLoading, kServing, kUnloading };

  void TellLastFirst(TRITONREPOAGENT_ActionType action) {
    for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
      (*run)->Tell(action);
    }
  }

  std::string directory_;
  std::mutex mutex_;  // guards state_; held while the agents act
  State state_ = State::kLoading;
  std::vector<std::unique_ptr<AgentRun>> runs_;  // made while loading, then the same
};

}  // namespace

std::string AgentHost::PathOf(const std::string& name) const {
  return fs::path(directory_) / name / ("libtritonrepoagent_" + name + ".so");
}

std::vector<AgentHost::Loaded> AgentHost::LoadedAgents() const {
  std::vector<Loaded> loaded;
  std::lock_guard lock(mutex_);
  for (const auto& [name, library] : libraries_) {
    if (library != nullptr) {  // null: it could not be opened
      loaded.push_back({name, PathOf(name)});
    }
  }
  return loaded;
}

Result<std::shared_ptr<AgentLibrary>> AgentHost::Find(const std::string& name) {
  if (!IsPlainName(name)) {
    return InvalidArgument("its name must be a plain name");
  }
  std::lock_guard lock(mutex_);
  std::shared_ptr<AgentLibrary>& library = libraries_[name];
  if (library == nullptr) {
    const std::string path = PathOf(name);
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      return InvalidArgument("unable to find its library, searched: {}", path);
    }
    HEADRACE_ASSIGN_OR_RETURN(library, AgentLibrary::Open(name, path));
  }
  return library;
}

Result<std::shared_ptr<engine::ModelAgents>> AgentHost::Load(engine::AgentTask task) {
  auto agents = std::make_shared<PluginModelAgents>();
  agents->Begin(task.model_directory);
  for (const engine::AgentSpec& spec : task.agents) {
    auto library = Find(spec.name);
    Status status = library.ok() ? agents->Add(*std::move(library), task, spec) : library.status();
    if (!status.ok()) {
      return status.WithPrefix(fmt::format("repository agent '{}': ", spec.name));
    }
  }
  return std::shared_ptr<engine::ModelAgents>(std::move(agents));
}

}  // namespace headrace::plugin

#include "plugin/plugin_backend.h"

#include <memory>
#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/model.h"
#include "engine/self_report.h"
#include "plugin/instance_readiness.h"
#include "plugin/library_call.h"
#include "plugin/model_handle.h"
#include "plugin/request_handle.h"

namespace headrace::plugin {
namespace {

void LogFailure(const char* what, const std::string& name, const Status& status) {
  if (!status.ok()) {
    HEADRACE_LOG_ERROR("{} '{}': {}", what, name, status.ToString());
  }
}

class PluginInstance final : public engine::Instance, public engine::SelfReport {
 public:
  PluginInstance(std::shared_ptr<PluginBackend> backend, TRITONBACKEND_Model& model,
                 engine::InstancePlacement placement)
      : backend_(std::move(backend)), pool_(std::make_shared<RequestPool>()) {
    handle_.model = &model;
    handle_.host_policy.json = placement.host_policy_json == "{}"
                                   ? "{\"" + placement.host_policy + "\":{}}"
                                   : placement.host_policy_json;
    handle_.placement = std::move(placement);
  }

  ~PluginInstance() override {
    readiness_.reset();
    if (initialized_) {
      LogFailure(
          "finalizing instance", handle_.placement.name,
          CallLibrary("ModelInstanceFinalize", backend_->entries().instance_finalize, &handle_));
    }
    if (const std::size_t held =
            pool_->TakeBackAll(Internal("the backend ended without an answer to the request"))) {
      HEADRACE_LOG_ERROR("instance '{}' ended with {} requests that its backend never gave back",
                         handle_.placement.name, held);
    }
  }

  Status Initialize() {
    HEADRACE_RETURN_IF_ERROR(
        CallLibrary("ModelInstanceInitialize", backend_->entries().instance_initialize, &handle_));
    initialized_ = true;
    if (const auto ready = backend_->entries().instance_ready; ready != nullptr) {
      readiness_ = std::make_unique<InstanceReadiness>(
          [this, ready] { return CallLibrary("ModelInstanceReady", ready, &handle_); },
          Clock::Real(), InstanceReadiness::Options());
    }
    return OkStatus();
  }

  Status Readiness() const override {
    return readiness_ == nullptr ? OkStatus() : readiness_->report();
  }

  void Execute(engine::Batch batch) override {
    if (batch.requests.empty()) {
      return;
    }
    if (handle_.statistics == nullptr && batch.requests.front()->model() != nullptr) {
      handle_.statistics = &batch.requests.front()->model()->statistics();
    }
    handles_.clear();
    pool_->Begin(batch.requests, handles_, batch.failed);
    // The backend may write to the array that it is given.
    argument_ = handles_;
    const Status status =
        CallLibrary("ModelInstanceExecute", backend_->entries().execute, &handle_, argument_.data(),
                    static_cast<std::uint32_t>(argument_.size()));
    if (!status.ok()) {
      // The requests are still ours; what the backend has released all the same is not touched.
      for (TRITONBACKEND_Request* request : handles_) {
        if (request->held()) {
          request->TakeBack(status);
        }
      }
    }
    if (batch.failed != nullptr) {
      for (TRITONBACKEND_Request* request : handles_) {
        request->Settle();
      }
    }
  }

 private:
  const std::shared_ptr<PluginBackend> backend_;
  const std::shared_ptr<RequestPool> pool_;
  TRITONBACKEND_ModelInstance handle_;
  bool initialized_ = false;
  std::unique_ptr<InstanceReadiness> readiness_;            // null: the backend does not tell
  std::vector<TRITONBACKEND_Request*> handles_, argument_;  // kept for their memory
};

class PluginModel final : public engine::LoadedModel {
 public:
  PluginModel(std::shared_ptr<PluginBackend> backend, engine::LoadSpec spec)
      : backend_(std::move(backend)) {
    handle_.backend = &backend_->handle();
    handle_.name = std::move(spec.model_name);
    handle_.version = spec.version;
    handle_.directory = std::move(spec.model_directory);
    handle_.config_json = std::move(spec.config_json);
    handle_.auto_complete = spec.auto_complete;
    handle_.complete_config = std::move(spec.complete_config);
  }

  ~PluginModel() override {
    if (initialized_) {
      LogFailure("finalizing model", handle_.name,
                 CallLibrary("ModelFinalize", backend_->entries().model_finalize, &handle_));
    }
  }

  Status Initialize() {
    handle_.initializing = true;
    Status status = CallLibrary("ModelInitialize", backend_->entries().model_initialize, &handle_);
    handle_.initializing = false;
    HEADRACE_RETURN_IF_ERROR(status);
    initialized_ = true;
    return handle_.config_refusal;
  }

  void SetFinalConfig(std::string config_json) override {
    handle_.config_json = std::move(config_json);
  }

  Result<std::unique_ptr<engine::Instance>> CreateInstance(
      const engine::InstancePlacement& placement) override {
    auto instance = std::make_unique<PluginInstance>(backend_, handle_, placement);
    HEADRACE_RETURN_IF_ERROR(instance->Initialize());
    return std::unique_ptr<engine::Instance>(std::move(instance));
  }

  bool ParallelInstanceLoading() const override {
    return handle_.backend->attributes.parallel_instance_loading;
  }

  Status StartProfile(const std::string& options_json) override {
    const EntryPoints& entries = backend_->entries();
    if (entries.profile_start == nullptr || entries.profile_stop == nullptr) {
      return Unimplemented("backend '{}' does not report operators", handle_.backend->name);
    }
    return CallLibrary(HEADRACE_MODEL_PROFILE_START, entries.profile_start, &handle_,
                       options_json.c_str());
  }

  Result<std::string> StopProfile() override {
    std::string text;
    const auto take = [](void* user, const char* base, std::size_t byte_size) {
      static_cast<std::string*>(user)->assign(base, byte_size);
    };
    HEADRACE_RETURN_IF_ERROR(
        CallLibrary(HEADRACE_MODEL_PROFILE_STOP, backend_->entries().profile_stop, &handle_,
                    static_cast<HEADRACE_TakeText*>(take), static_cast<void*>(&text)));
    return text;
  }

 private:
  const std::shared_ptr<PluginBackend> backend_;
  TRITONBACKEND_Model handle_;
  bool initialized_ = false;
};

}  // namespace

PluginBackend::PluginBackend(const EntryPoints& entries, PluginBackendOptions options)
    : entries_(entries), handle_(std::make_unique<TRITONBACKEND_Backend>()) {
  handle_->name = std::move(options.name);
  handle_->directory = std::move(options.directory);
  handle_->config.json = std::move(options.config_json);
  handle_->memory_manager.devices = std::move(options.device_memory);
  handle_->server = options.server;
}

PluginBackend::~PluginBackend() {
  if (initialized_) {
    LogFailure("finalizing backend", handle_->name,
               CallLibrary("Finalize", entries_.finalize, handle_.get()));
  }
}

Result<std::shared_ptr<PluginBackend>> PluginBackend::Create(const EntryPoints& entries,
                                                             PluginBackendOptions options) {
  std::shared_ptr<PluginBackend> backend(new PluginBackend(entries, std::move(options)));
  HEADRACE_RETURN_IF_ERROR(backend->Initialize());
  return backend;
}

Status PluginBackend::Initialize() {
  HEADRACE_RETURN_IF_ERROR(CallLibrary("GetBackendAttribute", entries_.get_attribute, handle_.get(),
                                       &handle_->attributes));
  HEADRACE_RETURN_IF_ERROR(CallLibrary("Initialize", entries_.initialize, handle_.get()));
  initialized_ = true;
  return OkStatus();
}

engine::InstanceKind PluginBackend::PreferredKind() const {
  const auto& groups = handle_->attributes.preferred_groups;
  // The first is the one that it likes best.
  return groups.empty() ? engine::InstanceKind::kAuto
                        : static_cast<engine::InstanceKind>(groups.front().kind);
}

Result<std::unique_ptr<engine::LoadedModel>> PluginBackend::Load(engine::LoadSpec spec) {
  auto model = std::make_unique<PluginModel>(shared_from_this(), std::move(spec));
  HEADRACE_RETURN_IF_ERROR(model->Initialize());
  return std::unique_ptr<engine::LoadedModel>(std::move(model));
}

}  // namespace headrace::plugin

#include "onnxruntime/onnx_model.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/auto_complete.h"
#include "common/backend_config.h"
#include "common/log.h"
#include "common/model_file.h"
#include "onnxruntime/device_execution.h"
#include "onnxruntime/execution.h"
#include "onnxruntime/openvino_accelerator.h"
#include "onnxruntime/providers.h"

namespace headrace::backend {
namespace {

constexpr const char* kModelFile = "model.onnx";

// The file, or the one in a directory of that name.
Error FindFile(TRITONBACKEND_Model* handle, const ModelConfig& config, std::string* path) {
  const std::string& named = config.default_model_filename;
  const std::vector<std::string> names = {named.empty() ? kModelFile : named};
  HEADRACE_BACKEND_RETURN_IF_ERROR(FindModelFile(handle, names, path));
  std::error_code ignored;
  if (std::filesystem::is_directory(*path, ignored)) {
    *path = (std::filesystem::path(*path) / kModelFile).string();
  }
  return {};
}

// Where the first instance will be: its session is the one that is asked what the model is.
SessionDevice FirstDevice(const ModelConfig& config) {
  if (config.instance_groups.empty() || config.instance_groups.front().kind != "KIND_GPU") {
    return {};
  }
  const std::vector<std::int64_t>& gpus = config.instance_groups.front().gpus;
  return {.on_gpu = true, .gpu = gpus.empty() ? 0 : gpus.front()};
}

// Libraries of custom operators are the model's own, or are given by an absolute path.
Error ResolveLibraries(const ModelLocation& location, std::vector<std::string>* libraries) {
  for (std::string& library : *libraries) {
    if (library.empty()) {
      return InvalidArgument("model_operations.op_library_filename is empty");
    }
    if (!std::filesystem::path(library).is_absolute()) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(location.Resolve(library, &library));
    }
  }
  return {};
}

}  // namespace

Error OnnxModel::Create(TRITONBACKEND_Model* handle, std::unique_ptr<OnnxModel>* model) {
  auto created = std::make_unique<OnnxModel>();
  HEADRACE_BACKEND_RETURN_IF_ERROR(created->Load(handle));
  *model = std::move(created);
  return {};
}

void OnnxModel::Describe(TRITONBACKEND_BackendAttribute* attributes) {
  HEADRACE_BACKEND_LOG_IF_ERROR(
      TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading(attributes, true),
      "parallel instance loading could not be declared");
}

Error OnnxModel::Load(TRITONBACKEND_Model* handle) {
  TRITONBACKEND_Backend* backend = nullptr;
  BackendConfig backend_config;
  ModelLocation location;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelBackend(handle, &backend));
  HEADRACE_BACKEND_RETURN_IF_ERROR(BackendConfig::Read(backend, &backend_config));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config_));
  HEADRACE_BACKEND_RETURN_IF_ERROR(SessionSettings::Read(config_, backend_config, &settings_));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ModelLocation::Of(handle, &location));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ResolveLibraries(location, &settings_.op_libraries));
  HEADRACE_BACKEND_RETURN_IF_ERROR(FindFile(handle, config_, &files_.path));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      InspectOnnxFile(files_.path, location.model_directory.string(), &files_.external));
  if (settings_.accelerators.openvino) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(LoadWithOpenVino(handle, location));
  } else {
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindSession(FirstDevice(config_), settings_, &first_));
  }
  tensors_ = accelerated_ != nullptr ? accelerated_->tensors() : first_->tensors();
  return SettleConfig(handle, tensors_, &config_);
}

Error OnnxModel::LoadWithOpenVino(TRITONBACKEND_Model* handle, const ModelLocation& location) {
  const char* reason = "this library of ONNX Runtime has no OpenVINO provider";
  SharedEnvironment(settings_);  // before anything else of the runtime
  Error refused;
  if (HasOpenVinoProvider()) {
    refused = OnnxSession::LoadWithOpenVino(files_, settings_, &first_);
    if (refused.ok()) {
      HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_INFO,
                           "model '{}': the Execution Accelerator 'openvino' is ONNX Runtime's "
                           "provider",
                           location.name);
      sessions_[SessionDevice()] = first_;
      return {};
    }
    reason = refused.message();
  }
  TRITONBACKEND_Backend* backend = nullptr;
  TRITONBACKEND_ArtifactType type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  const char* directory = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelBackend(handle, &backend));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_BackendArtifacts(backend, &type, &directory));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      backend::LoadWithOpenVino(files_.path, location.model_directory.string(), directory, config_,
                                *settings_.accelerators.openvino, &accelerated_));
  HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_INFO,
                       "model '{}': the Execution Accelerator 'openvino' is the OpenVINO runtime "
                       "itself: {}",
                       location.name, reason);
  return {};
}

Error OnnxModel::FindSession(const SessionDevice& device, const SessionSettings& settings,
                             std::shared_ptr<OnnxSession>* session) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<OnnxSession>& known = sessions_[device];
  if (known == nullptr) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(OnnxSession::Load(files_, settings, device, &known));
  }
  *session = known;
  // Two owners are the map and first_: no instance uses it, and its weights take memory.
  if (first_ != nullptr && first_ != known && first_.use_count() == 2) {
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second == first_; });
    first_.reset();
  }
  return {};
}

Error OnnxModel::MakeRun(SessionDevice device, const HostPlacement& placement,
                         std::unique_ptr<RuntimeRun>* run) {
  if (accelerated_ != nullptr && !device.on_gpu) {
    *run = accelerated_->MakeRun();
    return {};
  }
  const SessionSettings settings = PlaceSession(placement, &device);
  std::shared_ptr<OnnxSession> session;
  HEADRACE_BACKEND_RETURN_IF_ERROR(FindSession(device, settings, &session));
  return RunOf(std::move(session), device, run);
}

SessionSettings OnnxModel::PlaceSession(const HostPlacement& placement,
                                        SessionDevice* device) const {
  // A session without threads besides the instances' own serves them wherever they are.
  const bool has_threads = settings_.threads.intra_op != 1 && !settings_.global_pool;
  if (!device->on_gpu && has_threads) {
    device->cpus = placement.cpus;
  }
  return settings_.OnCores(static_cast<std::int64_t>(placement.cpus.size()),
                           placement.thread_count);
}

Error OnnxModel::RunOf(std::shared_ptr<OnnxSession> session, const SessionDevice& device,
                       std::unique_ptr<RuntimeRun>* run) const {
  if (!device.on_gpu) {
    *run = std::make_unique<OnnxExecution>(std::move(session), settings_);
    return {};
  }
  std::optional<DeviceMemory> memory;
  HEADRACE_BACKEND_RETURN_IF_ERROR(DeviceMemory::OfGpu(device.gpu, &memory));
  *run = std::make_unique<OnnxDeviceExecution>(std::move(session), settings_, std::move(*memory));
  return {};
}

Error OnnxModel::StartProfile(const ProfileOptions& options) {
  if (accelerated_ != nullptr) {
    return Unsupported("the accelerator openvino runs the model; serve it with backend openvino");
  }
  std::shared_ptr<SessionProfile> profile;
  HEADRACE_BACKEND_RETURN_IF_ERROR(SessionProfile::Start(options, &profile));
  return profile_.On(std::move(profile));
}

Error OnnxModel::StopProfile(OperatorProfile* profile) {
  const std::shared_ptr<SessionProfile> recorded = profile_.Off();
  return recorded == nullptr ? InvalidArgument("the model is not being profiled")
                             : recorded->Finish(profile);
}

Error OnnxModel::MakeProfiledRun(SessionDevice device, const HostPlacement& placement,
                                 SessionProfile& profile, std::unique_ptr<RuntimeRun>* run) {
  const SessionSettings settings = PlaceSession(placement, &device);
  std::shared_ptr<OnnxSession> session;
  HEADRACE_BACKEND_RETURN_IF_ERROR(profile.FindSession(files_, settings, device, &session));
  return RunOf(std::move(session), device, run);
}

}  // namespace headrace::backend

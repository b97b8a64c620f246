#include "load/in_process_server.h"

#include <charconv>
#include <filesystem>
#include <utility>

namespace headrace::load {
namespace {

constexpr unsigned int kExitTimeoutS = 30;

}  // namespace

Result<std::shared_ptr<InProcessServer>> InProcessServer::Start(const TargetSpec& target) {
  if (target.model_repositories.empty()) {
    return InvalidArgument("a server in this process needs a model repository");
  }
  HEADRACE_ASSIGN_OR_RETURN(std::shared_ptr<const TritonApi> loaded,
                            TritonApi::Load(target.server_library));
  std::shared_ptr<InProcessServer> made(new InProcessServer(std::move(loaded)));
  const TritonApi& api = made->api();
  TRITONSERVER_ServerOptions* options = nullptr;
  HEADRACE_RETURN_IF_ERROR(api.Take(api.ServerOptionsNew(&options)));
  const auto configure = [&]() -> Status {
    for (const std::string& repository : target.model_repositories) {
      HEADRACE_RETURN_IF_ERROR(
          api.Take(api.ServerOptionsSetModelRepositoryPath(options, repository.c_str())));
    }
    HEADRACE_RETURN_IF_ERROR(api.Take(
        api.ServerOptionsSetModelControlMode(options, TRITONSERVER_MODEL_CONTROL_EXPLICIT)));
    HEADRACE_RETURN_IF_ERROR(api.Take(api.ServerOptionsSetServerId(options, "headrace-bench")));
    HEADRACE_RETURN_IF_ERROR(api.Take(api.ServerOptionsSetLogInfo(options, false)));
    HEADRACE_RETURN_IF_ERROR(api.Take(api.ServerOptionsSetExitTimeout(options, kExitTimeoutS)));
    // <directory>/lib/libtritonserver.so has its backends in <directory>/backends.
    const auto backends =
        std::filesystem::path(target.server_library).parent_path().parent_path() / "backends";
    std::error_code error;
    if (!target.server_library.empty() && std::filesystem::is_directory(backends, error)) {
      HEADRACE_RETURN_IF_ERROR(
          api.Take(api.ServerOptionsSetBackendDirectory(options, backends.c_str())));
    }
    return api.Take(api.ServerNew(&made->server_, options));
  };
  const Status status = configure();
  (void)api.Take(api.ServerOptionsDelete(options));
  HEADRACE_RETURN_IF_ERROR(status.WithPrefix("the server in this process: "));
  return made;
}

Result<std::shared_ptr<InProcessServer>> InProcessServer::Of(const TargetSpec& target) {
  if (target.in_process_server != nullptr) {
    return target.in_process_server;
  }
  return Start(target);
}

InProcessServer::~InProcessServer() {
  if (server_ != nullptr) {
    (void)api_->Take(api_->ServerDelete(server_));
  }
}

Status InProcessServer::Need(const std::string& model) {
  {
    const std::lock_guard lock(mutex_);
    if (named_.contains(model)) {
      return OkStatus();
    }
  }
  return Load(model, "");
}

Status InProcessServer::Load(const std::string& model, const std::string& config_json) {
  const std::lock_guard lock(mutex_);
  TRITONSERVER_Parameter* config = nullptr;
  if (!config_json.empty()) {
    config =
        api_->ParameterNew("config", TRITONSERVER_PARAMETER_STRING, config_json.c_str());
  }
  const TRITONSERVER_Parameter* parameters[] = {config};
  Status status = api_->Take(api_->ServerLoadModelWithParameters(
      server_, model.c_str(), parameters, config == nullptr ? 0 : 1));
  if (config != nullptr) {
    api_->ParameterDelete(config);
  }
  if (status.ok()) {
    named_.insert(model);
  }
  return status;
}

Status InProcessServer::Unload(const std::string& model) {
  const std::lock_guard lock(mutex_);
  named_.insert(model);
  return api_->Take(api_->ServerUnloadModel(server_, model.c_str()));
}

Result<std::int64_t> VersionNumber(const std::string& version) {
  if (version.empty()) {
    return -1;
  }
  std::int64_t number = 0;
  const auto [end, error] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  if (error != std::errc() || end != version.data() + version.size() || number < 0) {
    return InvalidArgument("version '{}' is no number", version);
  }
  return number;
}

}  // namespace headrace::load

#include "server/backends.h"

#include <string_view>
#include <utility>

#include "base/log.h"

namespace headrace::server {
namespace {

// The contract of a built-in backend; empty for a library's.
std::string_view ContractOf(std::string_view backend) {
  return backend == "python" ? "triton" : backend == "handler" ? "handler" : "";
}

// Without the keys that are not about workers.
std::map<std::string, std::string> WorkerSettings(std::map<std::string, std::string> settings) {
  settings.erase("implementation");
  return settings;
}

}  // namespace

Backends::Backends(Options options, plugin::PluginHost& plugins, worker::HostServices& services)
    : options_(std::move(options)), plugins_(plugins), services_(services) {}

std::map<std::string, std::string> Backends::SettingsOf(const std::string& backend) const {
  std::map<std::string, std::string> settings;
  for (const std::string& source : {std::string(), backend}) {
    if (const auto found = options_.backend_config.find(source);
        found != options_.backend_config.end()) {
      for (const auto& [key, value] : found->second) {
        settings[key] = value;
      }
    }
  }
  return settings;
}

Result<std::shared_ptr<engine::Backend>> Backends::Find(const engine::LoadSpec& spec) {
  if (ContractOf(spec.backend).empty() || !spec.runtime.empty()) {
    return plugins_.Find(spec);
  }
  const auto settings = SettingsOf(spec.backend);
  const auto implementation = settings.find("implementation");
  if (implementation == settings.end() || implementation->second == "builtin") {
    return FindPython(spec.backend);
  }
  if (implementation->second != "published") {
    return InvalidArgument(
        "--backend-config={},implementation must be builtin or published, got '{}'", spec.backend,
        implementation->second);
  }
  return plugins_.Find(spec);
}

Result<std::shared_ptr<engine::Backend>> Backends::FindPython(const std::string& name) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<worker::PythonBackend>& backend = python_[name];
  if (backend == nullptr) {
    HEADRACE_ASSIGN_OR_RETURN(
        backend, worker::PythonBackend::Create({.contract = std::string(ContractOf(name)),
                                                .runtime_directory = options_.python_directory,
                                                .settings = WorkerSettings(SettingsOf(name)),
                                                .services = &services_}));
    HEADRACE_LOG_INFO("backend '{}' is built in; its runtime is {}", name, backend->path());
  }
  return std::shared_ptr<engine::Backend>(backend);
}

std::vector<engine::BackendProvider::Loaded> Backends::LoadedBackends() const {
  std::vector<Loaded> loaded = plugins_.LoadedBackends();
  std::lock_guard lock(mutex_);
  for (const auto& [name, backend] : python_) {
    if (backend != nullptr) {
      loaded.push_back({name, backend->path(), plugins_.ConfigJson(name)});
    }
  }
  return loaded;
}

}  // namespace headrace::server

#include "plugin/plugin_host.h"

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "plugin/custom_metrics.h"
#include "plugin/library.h"
#include "plugin/plugin_backend.h"
#include "plugin/server_handle.h"
#include "protocol/json_writer.h"

namespace headrace::plugin {

PluginHost::PluginHost(PluginHostOptions options)
    : options_(std::move(options)), server_(std::make_unique<TRITONSERVER_Server>()) {
  const std::string directory = options_.host_library_directory.empty()
                                    ? HostLibraryDirectory()
                                    : options_.host_library_directory;
  if (const Status status = OpenHostLibrary(directory); !status.ok()) {
    HEADRACE_LOG_WARNING("published backends will not load without libtritonserver.so: {}",
                         status.message());
  }
}

PluginHost::~PluginHost() = default;

void PluginHost::SetServer(ServerControl& control) { server_->control = &control; }

const telemetry::MetricSource& PluginHost::metrics() const { return CustomMetrics::OfProcess(); }

std::string PluginHost::ConfigJson(const std::string& backend) const {
  // std::map orders the keys; a later source replaces an earlier one.
  std::map<std::string, std::string> settings = {
      {"auto-complete-config", options_.auto_complete_config ? "true" : "false"},
      {"backend-directory", options_.backend_directory},
      {"min-compute-capability", fmt::format("{:.6f}", options_.compute_capability_min)},
      {"default-max-batch-size", "4"},
  };
  for (const std::string& source : {std::string(), backend}) {
    if (const auto it = options_.backend_config.find(source); it != options_.backend_config.end()) {
      for (const auto& [key, value] : it->second) {
        settings[key] = value;
      }
    }
  }
  std::string json;
  protocol::JsonWriter writer(json);
  writer.BeginObject().Key("cmdline").BeginObject();
  for (const auto& [key, value] : settings) {
    writer.Key(key).String(value);
  }
  writer.EndObject().EndObject();
  return json;
}

Result<std::shared_ptr<engine::Backend>> PluginHost::Find(const engine::LoadSpec& spec) {
  HEADRACE_ASSIGN_OR_RETURN(const FoundLibrary library,
                            FindLibrary(spec, options_.backend_directory));
  if (library.backend != spec.backend) {
    HEADRACE_LOG_INFO("model '{}': backend '{}' is not installed; backend '{}' serves the model",
                      spec.model_name, spec.backend, library.backend);
  }
  std::shared_ptr<Entry> entry;
  {
    std::lock_guard lock(mutex_);
    std::shared_ptr<Entry>& slot = entries_[library.backend + '\n' + library.path];
    if (slot == nullptr) {
      slot = std::make_shared<Entry>();
      slot->name = library.backend;
      slot->path = library.path;
      slot->config_json = ConfigJson(library.backend);
    }
    entry = slot;
  }
  std::lock_guard lock(entry->mutex);
  if (entry->backend == nullptr) {
    HEADRACE_ASSIGN_OR_RETURN(const EntryPoints entries, OpenLibrary(entry->path));
    HEADRACE_ASSIGN_OR_RETURN(
        entry->backend,
        PluginBackend::Create(
            entries, {.name = entry->name,
                      .directory = std::filesystem::path(entry->path).parent_path().string(),
                      .config_json = entry->config_json,
                      .device_memory = options_.device_memory,
                      .server = server_.get()}));
    HEADRACE_LOG_INFO("backend '{}' loaded from {}", entry->name, entry->path);
  }
  return std::shared_ptr<engine::Backend>(entry->backend);
}

std::vector<engine::BackendProvider::Loaded> PluginHost::LoadedBackends() const {
  std::vector<std::shared_ptr<Entry>> entries;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      entries.push_back(entry);
    }
  }
  std::vector<Loaded> loaded;
  for (const auto& entry : entries) {
    std::lock_guard lock(entry->mutex);
    if (entry->backend != nullptr) {
      loaded.push_back({entry->name, entry->path, entry->config_json});
    }
  }
  return loaded;
}

}  // namespace headrace::plugin

// Finds, opens and keeps the backends of the process.
#ifndef HEADRACE_PLUGIN_PLUGIN_HOST_H_
#define HEADRACE_PLUGIN_PLUGIN_HOST_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device/device_memory.h"
#include "engine/backend.h"
#include "plugin/server_control.h"
#include "telemetry/prometheus.h"

struct TRITONSERVER_Server;

namespace headrace::plugin {

class PluginBackend;

struct PluginHostOptions {
  std::string backend_directory;  // holds <backend>/libtriton_<backend>.so
  std::map<std::string, std::map<std::string, std::string>>
      backend_config;  // backend ("" = all) -> key -> value
  bool auto_complete_config = true;
  std::string host_library_directory;  // of the empty libtritonserver.so; empty: beside the program
  std::shared_ptr<device::DeviceMemory> device_memory{};  // null: no GPU
  double compute_capability_min = 6.0;                    // told to backends
};

// Thread-safe. Destroyed after the last model; backends are finalised then, their libraries stay
// open.
class PluginHost final : public engine::BackendProvider {
 public:
  explicit PluginHost(PluginHostOptions options);
  ~PluginHost() override;

  // One backend per library file. A library whose initialisation failed is tried again at the next
  // load.
  Result<std::shared_ptr<engine::Backend>> Find(const engine::LoadSpec& spec) override;
  std::vector<Loaded> LoadedBackends() const override;

  // What backends may call of the server that they run in. To be set before the first model loads;
  // borrowed.
  void SetServer(ServerControl& control);

  // What backends add to the metrics page.
  const telemetry::MetricSource& metrics() const;

  // {"cmdline":{...}} as the backend gets it: the server's settings, those for all backends, those
  // for this one.
  std::string ConfigJson(const std::string& backend) const;

 private:
  struct Entry {
    std::string name, path, config_json;
    std::mutex mutex;  // held while the library is opened: others that want it wait
    std::shared_ptr<PluginBackend> backend;
  };

  const PluginHostOptions options_;
  const std::unique_ptr<TRITONSERVER_Server> server_;
  mutable std::mutex mutex_;  // guards entries_ (the map, not what it points to)
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // by backend name and path
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_PLUGIN_HOST_H_

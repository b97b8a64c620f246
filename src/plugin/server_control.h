// A server as the C interface shows it (families "server", "server_metrics" of abi/triton.yaml):
// to backends, which call models of the server that they run in, and to programs that hold a server
// in-process.
#ifndef HEADRACE_PLUGIN_SERVER_CONTROL_H_
#define HEADRACE_PLUGIN_SERVER_CONTROL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/registry.h"

namespace headrace::plugin {

// What the entries ask of a server. Implemented by the composition root, and by fakes in tests.
// Thread-safe; outlives every handle that names it.
class ServerControl {
 public:
  virtual ~ServerControl() = default;

  virtual const engine::Registry& registry() const = 0;
  virtual bool Ready() const = 0;

  // The documents of the HTTP endpoints, with their failures (contracts, Triton 8.5). Without a
  // version, the metadata is that of all that are READY.
  virtual std::string MetadataJson() const = 0;
  virtual Result<std::string> ModelMetadataJson(const std::string& name,
                                                std::optional<std::int64_t> version) const = 0;
  // An empty name: of all models.
  virtual Result<std::string> StatisticsJson(const std::string& name,
                                             std::optional<std::int64_t> version) const = 0;
  virtual std::string IndexJson(bool ready_only) const = 0;
  // The Prometheus page.
  virtual std::string MetricsPage() const = 0;

  // Block until the models are as asked for. `files`: path in the model's directory -> content.
  virtual Status Load(const std::string& name, std::string config_json,
                      std::map<std::string, std::string> files) = 0;
  virtual Status Unload(const std::string& name, bool unload_dependents) = 0;
  virtual Status Poll() = 0;

  // Repositories that come and go in explicit mode. `mapping`: model's name -> directory in the
  // repository. Block on the file system.
  virtual Status RegisterRepository(const std::string& path,
                                    const std::map<std::string, std::string>& mapping) = 0;
  virtual Status UnregisterRepository(const std::string& path) = 0;
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_SERVER_CONTROL_H_

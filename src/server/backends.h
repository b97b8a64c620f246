// All backends of the server: libraries with Triton's interface, and the built-in ones of Python
// programs.
#ifndef HEADRACE_SERVER_BACKENDS_H_
#define HEADRACE_SERVER_BACKENDS_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "plugin/plugin_host.h"
#include "worker/host_services.h"
#include "worker/python_backend.h"

namespace headrace::server {

// Thread-safe.
class Backends final : public engine::BackendProvider {
 public:
  struct Options {
    std::string python_directory;  // of the runtime
    std::map<std::string, std::map<std::string, std::string>> backend_config;
  };

  // `plugins` and `services` are borrowed.
  Backends(Options options, plugin::PluginHost& plugins, worker::HostServices& services);

  // The built-in backend for "python" and "handler", unless the model's `runtime` names a library,
  // or --backend-config=<backend>,implementation=published asks for one; else a library's.
  Result<std::shared_ptr<engine::Backend>> Find(const engine::LoadSpec& spec) override;
  std::vector<Loaded> LoadedBackends() const override;

 private:
  Result<std::shared_ptr<engine::Backend>> FindPython(const std::string& name);
  // What --backend-config says of the backend, with what it says of all.
  std::map<std::string, std::string> SettingsOf(const std::string& backend) const;

  const Options options_;
  plugin::PluginHost& plugins_;
  worker::HostServices& services_;
  mutable std::mutex mutex_;                                              // guards python_
  std::map<std::string, std::shared_ptr<worker::PythonBackend>> python_;  // by backend name
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_BACKENDS_H_

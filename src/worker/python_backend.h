// engine::Backend for models that are Python programs: the contracts "triton" (`backend: "python"`)
// and "handler" (`backend: "handler"`), each instance in a worker process of its own.
#ifndef HEADRACE_WORKER_PYTHON_BACKEND_H_
#define HEADRACE_WORKER_PYTHON_BACKEND_H_

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/topology.h"
#include "engine/backend.h"
#include "worker/control_threads.h"
#include "worker/host_services.h"
#include "worker/interpreter.h"
#include "worker/worker_options.h"

namespace headrace::worker {

struct PythonBackendOptions {
  std::string contract = "triton";                // or "handler"
  std::string runtime_directory;                  // holds headrace_worker/main.py
  std::map<std::string, std::string> settings{};  // of --backend-config
  HostServices* services = nullptr;               // borrowed; null: workers may ask for nothing
};

// What all workers of a backend have in common.
struct WorkerCommon {
  std::string contract, main_file;
  WorkerOptions options;
  HostServices* services = nullptr;
  Topology topology;
  std::shared_ptr<ControlThreads> controls = std::make_shared<ControlThreads>();
  std::shared_ptr<Interpreters> interpreters = std::make_shared<Interpreters>();
};

// Thread-safe. Loaded models share it.
class PythonBackend final : public engine::Backend {
 public:
  // INVALID_ARGUMENT for settings that make no sense, and where the runtime is not in its
  // directory.
  static Result<std::shared_ptr<PythonBackend>> Create(PythonBackendOptions options);

  // Asks a short-lived worker for the configuration, where the model may complete it.
  Result<std::unique_ptr<engine::LoadedModel>> Load(engine::LoadSpec spec) override;
  engine::InstanceKind PreferredKind() const override { return engine::InstanceKind::kCpu; }

  // Where the runtime is: the start-up table shows it.
  const std::string& path() const { return common_->main_file; }

 private:
  explicit PythonBackend(WorkerCommon common);

  const std::shared_ptr<const WorkerCommon> common_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PYTHON_BACKEND_H_

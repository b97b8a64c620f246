// One loaded version of a Python model: makes the workers of its instances.
#ifndef HEADRACE_WORKER_PYTHON_MODEL_H_
#define HEADRACE_WORKER_PYTHON_MODEL_H_

#include <memory>
#include <mutex>
#include <string>

#include "engine/backend.h"
#include "worker/keeper.h"
#include "worker/model_facts.h"
#include "worker/own_environment.h"
#include "worker/python_backend.h"
#include "worker/worker_template.h"

namespace headrace::worker {

class PythonModel final : public engine::LoadedModel {
 public:
  // Finds the model's interpreter: blocks while a packed environment is unpacked.
  static Result<std::unique_ptr<PythonModel>> Create(std::shared_ptr<const WorkerCommon> common,
                                                     engine::LoadSpec spec);

  // auto_complete_config, where spec.auto_complete asks for it. Blocks.
  Status CompleteConfig();

  void SetFinalConfig(std::string config_json) override;
  Result<std::unique_ptr<engine::Instance>> CreateInstance(
      const engine::InstancePlacement& placement) override;
  // Each is a process of its own.
  bool ParallelInstanceLoading() const override { return true; }

 private:
  // A worker for `placement`, whose first question is `question`. Blocks for as long as installing
  // takes where the first worker of a model needs it.
  Result<KeeperOptions> Worker(const engine::InstancePlacement& placement, const ModelFacts& facts,
                               MessageType question) const;

  // What the worker of `placement` is to be a copy of; null: nothing, it is started by itself. The
  // first call blocks until the template has loaded the model.
  std::shared_ptr<WorkerTemplate> Template(const engine::InstancePlacement& placement,
                                           const ModelFacts& facts);

  // Whether its worker keeps the server's terminal (--debug-model): the first one of the model's.
  bool IsDebugged(const engine::InstancePlacement& placement) const;

  PythonModel(std::shared_ptr<const WorkerCommon> common, engine::LoadSpec spec,
              Interpreter interpreter, std::unique_ptr<OwnEnvironment> own);

  const std::shared_ptr<const WorkerCommon> common_;
  const Interpreter interpreter_;
  const std::unique_ptr<OwnEnvironment> own_;  // in place of it; null: none
  engine::LoadSpec spec_;
  bool forks_workers_ = false;  // the parameter fork_workers
  std::mutex template_mutex_;   // guards what follows
  bool template_tried_ = false;
  std::shared_ptr<WorkerTemplate> template_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PYTHON_MODEL_H_

// A TorchScript model.
#ifndef HEADRACE_BACKENDS_PYTORCH_SCRIPT_MODEL_H_
#define HEADRACE_BACKENDS_PYTORCH_SCRIPT_MODEL_H_

#include <torch/csrc/jit/api/module.h>

#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "pytorch/detection_call.h"
#include "pytorch/script_call.h"
#include "pytorch/torch_model.h"

namespace headrace::backend {

// Weights are read once for each device that instances are on. What its instances have in common is
// WeightSharing's; compiled methods they always share.
class ScriptModel final : public TorchModel {
 public:
  static Error Load(const std::string& path, const ModelConfig& config,
                    const PyTorchSettings& settings, std::unique_ptr<TorchModel>* model);

  const ModelTensors& tensors() const override { return tensors_; }
  bool describes_itself() const override { return false; }
  std::int64_t batch_size_max() const override { return std::numeric_limits<std::int64_t>::max(); }
  Error NewRun(const Placement& placement, const ModelConfig& config, int thread_count,
               std::unique_ptr<RuntimeRun>* run) override;

 private:
  ScriptModel(std::string path, const PyTorchSettings& settings)
      : path_(std::move(path)), settings_(settings) {}
  // The module with weights on `placement`, for an instance that it may share with others.
  torch::jit::Module ModuleOn(const Placement& placement);

  const std::string path_;
  const PyTorchSettings settings_;
  ModelTensors tensors_;
  ScriptCall call_;
  DetectionCall detections_;   // in place of call_, with the parameter DETECTIONS
  bool keeps_inputs_ = false;  // the model writes into its inputs, or keeps them

  std::mutex mutex_;
  std::map<Placement, torch::jit::Module> modules_;  // guarded by mutex_
  bool cpu_used_ = false;                            // guarded by mutex_; by an instance
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_SCRIPT_MODEL_H_

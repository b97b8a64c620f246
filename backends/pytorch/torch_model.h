// A model file of PyTorch's, whatever its format. No header of PyTorch's is needed to use it.
#ifndef HEADRACE_BACKENDS_PYTORCH_TORCH_MODEL_H_
#define HEADRACE_BACKENDS_PYTORCH_TORCH_MODEL_H_

#include <memory>
#include <string>

#include "common/batch_driver.h"
#include "common/error.h"
#include "common/model_config.h"
#include "common/model_tensors.h"
#include "pytorch/placement.h"
#include "pytorch/settings.h"

namespace headrace::backend {

// Shared by the instances of a model version. Immutable once loaded, except for what it keeps of
// each device; thread-safe.
class TorchModel {
 public:
  virtual ~TorchModel() = default;

  // Loads `path` as what it is: TorchScript, or a package that AOTInductor compiled. The tensors of
  // `config` get their places in the model's call. INVALID_ARG where names or types do not fit,
  // with what the file tells of the right ones. Blocks.
  static Error Load(const std::string& path, const ModelConfig& config,
                    const PyTorchSettings& settings, std::unique_ptr<TorchModel>* model);

  // Named as the configuration names them. TorchScript: the configuration's own tensors, because
  // the file tells no types. Packages: from the file.
  virtual const ModelTensors& tensors() const = 0;
  // Whether tensors() are the file's own word.
  virtual bool describes_itself() const = 0;
  // The most rows that a batch may have.
  virtual std::int64_t batch_size_max() const = 0;

  // An executor for one instance that should use so many threads (0: no opinion); the model
  // outlives it. `config`: as settled.
  virtual Error NewRun(const Placement& placement, const ModelConfig& config, int thread_count,
                       std::unique_ptr<RuntimeRun>* run) = 0;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_TORCH_MODEL_H_

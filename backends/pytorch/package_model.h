// A model that AOTInductor compiled into a package (.pt2).
#ifndef HEADRACE_BACKENDS_PYTORCH_PACKAGE_MODEL_H_
#define HEADRACE_BACKENDS_PYTORCH_PACKAGE_MODEL_H_

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pytorch/archive.h"
#include "pytorch/package_source.h"
#include "pytorch/torch_model.h"

namespace headrace::backend {

// Weights exist once for each device, whatever the number of instances: they are runners of one
// container. A package is native code, which loading it runs.
class PackageModel final : public TorchModel {
 public:
  static Error Load(const std::string& path, Archive archive, const ModelConfig& config,
                    const PyTorchSettings& settings, std::unique_ptr<TorchModel>* model);

  const ModelTensors& tensors() const override { return tensors_; }
  bool describes_itself() const override { return true; }
  std::int64_t batch_size_max() const override { return source_.BatchSizeMax(); }
  Error NewRun(const Placement& placement, const ModelConfig& config, int thread_count,
               std::unique_ptr<RuntimeRun>* run) override;

 private:
  using Loader = torch::inductor::AOTIModelPackageLoader;

  PackageModel(std::string path, Archive archive, const PyTorchSettings& settings);
  Error CheckPlatform() const;
  Error LoaderOn(const Placement& placement, Loader** loader);
  // Names and types of both sides, from the file and then from the configuration.
  Error DescribeInputs(const std::vector<std::string>& paths, const ModelConfig& config);
  Error DescribeOutputs(const std::vector<std::string>& paths, const ModelConfig& config,
                        Loader& loader);
  // Calls the model with zeros, where its source says what shapes it takes.
  Error Probe(Loader& loader, std::vector<TensorInfo>* outputs);

  const std::string path_;
  const std::string model_name_;
  const std::string cpu_;  // the instruction sets that it was compiled for
  const PyTorchSettings settings_;
  PackageSource source_;
  const bool for_gpu_;
  ModelTensors tensors_;
  std::vector<std::string> input_names_;  // of tensors_, for messages

  std::mutex mutex_;
  std::map<Placement, std::unique_ptr<Loader>> loaders_;  // guarded by mutex_
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_PACKAGE_MODEL_H_

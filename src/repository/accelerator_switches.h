// Accelerators that are switched on from the command line, without editing model configurations.
#ifndef HEADRACE_REPOSITORY_ACCELERATOR_SWITCHES_H_
#define HEADRACE_REPOSITORY_ACCELERATOR_SWITCHES_H_

#include <string>
#include <vector>

#include "repository/model_config_fwd.h"

namespace headrace::repository {

// Names of models; "*" stands for every model whose backend has the accelerator.
struct AcceleratorSwitches {
  std::vector<std::string> openvino;  // cpu_execution_accelerator
  std::vector<std::string> tensorrt;  // gpu_execution_accelerator
};

// Adds what is switched on for `model_name` to its execution accelerators, unless it is there.
// Pure. Requires: backend and instance groups are filled in. With "*", TensorRT goes to models on a
// GPU only; a model that is named gets it in any case, and its backend says what is missing.
// Returns warnings: a named model whose backend has no such accelerator is left as it is.
std::vector<std::string> AddAccelerators(const AcceleratorSwitches& switches,
                                         const std::string& model_name,
                                         inference::ModelConfig& config);

// Every model that is named, for finding out which of them do not exist.
std::vector<std::string> NamedModels(const AcceleratorSwitches& switches);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ACCELERATOR_SWITCHES_H_

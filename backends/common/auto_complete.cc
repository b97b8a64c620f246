#include "common/auto_complete.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/backend_config.h"

namespace headrace::backend {
namespace {

// Where the server's command line says nothing (contracts, Triton 3.5).
constexpr std::int64_t kDefaultMaxBatchSize = 4;

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

Error CheckTypes(const std::string& model_name, const std::vector<TensorInfo>& infos) {
  for (const TensorInfo& info : infos) {
    if (info.dtype == TRITONSERVER_TYPE_INVALID) {
      return Unsupported(
          "model '{}', tensor '{}': its type is not a tensor type that the protocol has",
          model_name, info.name);
    }
  }
  return {};
}

// What the configuration says of one tensor of the model.
TensorConfig ConfigOf(const TensorInfo& info, bool batches) {
  TensorConfig tensor;
  tensor.name = info.name;
  tensor.dtype = info.dtype;
  tensor.dims.assign(info.shape.begin() + (batches ? 1 : 0), info.shape.end());
  if (tensor.dims.empty()) {  // a scalar, per row where there are rows
    tensor.dims = {1};
    if (batches) {
      tensor.reshape.emplace();
    }
  }
  return tensor;
}

// `skip(info)`: requests do not carry the tensor.
template <typename Skip>
void Fill(const std::vector<TensorInfo>& tensors, bool batches,
          std::vector<TensorConfig>* configured, Skip skip) {
  if (!configured->empty()) {
    return;
  }
  for (const TensorInfo& info : tensors) {
    if (!skip(info)) {
      configured->push_back(ConfigOf(info, batches));
    }
  }
}

std::string Names(const std::vector<TensorInfo>& tensors) {
  std::string names;
  for (const TensorInfo& info : tensors) {
    names += (names.empty() ? "" : ", ") + info.name;
  }
  return names;
}

bool Fits(const std::vector<std::int64_t>& model_shape,
          const std::vector<std::int64_t>& configured) {
  return model_shape.size() == configured.size() &&
         std::equal(model_shape.begin(), model_shape.end(), configured.begin(),
                    [](std::int64_t model, std::int64_t dim) {
                      return model == -1 || dim == -1 || model == dim;
                    });
}

Error CheckType(const std::string& model_name, const TensorInfo& info,
                TRITONSERVER_DataType configured) {
  return info.dtype == configured
             ? Error()
             : InvalidArgument(
                   "model '{}', tensor '{}': the model expects data-type {} but the model "
                   "configuration specifies data-type {}",
                   model_name, info.name, ConfigNameOf(info.dtype), ConfigNameOf(configured));
}

Error CheckTensor(const std::string& model_name, const TensorInfo& info, const TensorConfig& tensor,
                  bool batches) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckType(model_name, info, tensor.dtype));
  std::vector<std::int64_t> configured = tensor.backend_dims();
  if (batches) {
    if (info.shape.empty() || info.shape.front() != -1) {
      return InvalidArgument(
          "model '{}', tensor '{}': for the model to support batching the shape should have at "
          "least 1 dimension and "
          "the first dimension must be -1; but shape expected by the model is {}",
          model_name, info.name, ShapeText(info.shape));
    }
    configured.insert(configured.begin(), -1);
  }
  const bool scalar = !batches && info.shape.empty() && configured == std::vector<std::int64_t>{1};
  if (!scalar && !Fits(info.shape, configured)) {
    return InvalidArgument(
        "model '{}', tensor '{}': the model expects {} dimensions (shape {}) but the model "
        "configuration specifies {} dimensions{} (shape {})",
        model_name, info.name, info.shape.size(), ShapeText(info.shape), configured.size(),
        batches ? " (an initial batch dimension because max_batch_size > 0 followed by the "
                  "explicit tensor dimensions, making complete shape)"
                : "",
        ShapeText(configured));
  }
  return {};
}

// A ragged input comes in one dimension.
Error CheckRagged(const std::string& model_name, const TensorInfo& info,
                  const TensorConfig& tensor) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckType(model_name, info, tensor.dtype));
  if (info.shape.size() != 1 || info.shape.front() != -1) {
    return InvalidArgument(
        "unable to load model '{}', configuration expects model provides input with shape [-1]  "
        "for ragged input '{}', model provides {}",
        model_name, tensor.name, ShapeText(info.shape));
  }
  return {};
}

// Controls and states against the model's tensors.
Error CheckSequenceTensors(const std::string& model_name, const ModelTensors& tensors,
                           const ModelConfig& config) {
  const auto check = [&](const SequenceTensor& tensor, const TensorInfo* info, const char* what) {
    if (info == nullptr) {
      return InvalidArgument(
          "unable to load model '{}': sequence_batching names '{}', which is no {} of the model",
          model_name, tensor.name, what);
    }
    TensorConfig as_config;
    as_config.dtype = tensor.dtype;
    as_config.dims = tensor.dims;
    return CheckTensor(model_name, *info, as_config, config.max_batch_size > 0);
  };
  for (const SequenceTensor& tensor : config.sequence.inputs) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(check(tensor, tensors.FindInput(tensor.name), "input"));
  }
  for (const SequenceTensor& tensor : config.sequence.state_outputs) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(check(tensor, tensors.FindOutput(tensor.name), "output"));
  }
  return {};
}

Error CheckBatchInput(const std::string& model_name, const ModelTensors& tensors,
                      const BatchInputConfig& made, const std::string& target) {
  const TensorInfo* info = tensors.FindInput(target);
  if (info == nullptr) {
    return InvalidArgument("unexpected inference input '{}', allowed inputs are: {}", target,
                           Names(tensors.inputs));
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckType(model_name, *info, made.dtype));
  const std::size_t rank = made.kind == BatchInputConfig::Kind::kItemShape ? 2 : 1;
  if (info->shape.size() != rank || info->shape.front() != -1) {
    return InvalidArgument(
        "model '{}', tensor '{}': a batch input of its kind has {} dimension{}, the first of any "
        "extent, but shape expected by the model is {}",
        model_name, target, rank, rank == 1 ? "" : "s", ShapeText(info->shape));
  }
  return {};
}

Error CheckInput(const std::string& model_name, const ModelTensors& tensors,
                 const ModelConfig& config, const TensorConfig& tensor) {
  const TensorInfo* info = tensors.FindInput(tensor.name);
  if (info == nullptr) {
    return InvalidArgument("unexpected inference input '{}', allowed inputs are: {}", tensor.name,
                           Names(tensors.inputs));
  }
  const bool batches = config.max_batch_size > 0;
  return tensor.allow_ragged_batch && batches ? CheckRagged(model_name, *info, tensor)
                                              : CheckTensor(model_name, *info, tensor, batches);
}

Error CheckInputs(const std::string& model_name, const ModelTensors& tensors,
                  const ModelConfig& config) {
  for (const TensorConfig& tensor : config.inputs) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(CheckInput(model_name, tensors, config, tensor));
  }
  for (const BatchInputConfig& made : config.batch_inputs) {
    for (const std::string& target : made.targets) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(CheckBatchInput(model_name, tensors, made, target));
    }
  }
  for (const TensorInfo& info : tensors.inputs) {
    if (!info.has_default && config.FindInput(info.name) == nullptr &&
        config.FindBatchInput(info.name) == nullptr && !config.sequence.HasInput(info.name)) {
      return InvalidArgument(
          "unable to load model '{}', configuration expects {} inputs, model provides {}: input "
          "'{}' is missing",
          model_name, config.CallInputs().size(), tensors.inputs.size(), info.name);
    }
  }
  return {};
}

}  // namespace

Error CompleteConfig(const std::string& model_name, const ModelTensors& tensors,
                     std::int64_t default_max_batch_size, ModelConfig* config, bool* changed,
                     bool* add_dynamic_batching) {
  *changed = config->inputs.empty() || config->outputs.empty();
  *add_dynamic_batching = false;
  if (!*changed) {
    return {};
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckTypes(model_name, tensors.inputs));
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckTypes(model_name, tensors.outputs));
  const bool batches = tensors.CanBatch();
  if (!batches && config->max_batch_size > 0) {
    return InvalidArgument(
        "autofill failed for model '{}': model does not support batching while non-zero "
        "max_batch_size is specified",
        model_name);
  }
  // Tensors that are written down tell whether their first dimension is the batch; only an
  // untouched configuration gets a batch size.
  const bool untouched = config->inputs.empty() && config->outputs.empty();
  if (batches && config->max_batch_size == 0 && untouched) {
    config->max_batch_size = std::max<std::int64_t>(0, default_max_batch_size);
  }
  Fill(tensors.inputs, config->max_batch_size > 0, &config->inputs, [&](const TensorInfo& info) {
    return info.has_default || config->FindBatchInput(info.name) != nullptr ||
           config->sequence.HasInput(info.name);
  });
  Fill(tensors.outputs, config->max_batch_size > 0, &config->outputs,
       [&](const TensorInfo& info) { return config->sequence.HasStateOutput(info.name); });
  *add_dynamic_batching = config->max_batch_size > 1;
  return {};
}

Error CheckConfig(const std::string& model_name, const ModelTensors& tensors,
                  const ModelConfig& config) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckInputs(model_name, tensors, config));
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckSequenceTensors(model_name, tensors, config));
  for (const TensorConfig& tensor : config.outputs) {
    const TensorInfo* info = tensors.FindOutput(tensor.name);
    if (info == nullptr) {
      return InvalidArgument("unexpected inference output '{}', allowed outputs are: {}",
                             tensor.name, Names(tensors.outputs));
    }
    // A batch output is cut by the shapes of its source, whatever the model says of its own.
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        config.FindBatchOutput(tensor.name) != nullptr
            ? CheckType(model_name, *info, tensor.dtype)
            : CheckTensor(model_name, *info, tensor, config.max_batch_size > 0));
  }
  return {};
}

Error SettleConfig(TRITONBACKEND_Model* model, const ModelTensors& tensors, ModelConfig* config) {
  const char* name = nullptr;
  bool complete = false;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelName(model, &name));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelAutoCompleteConfig(model, &complete));
  if (!complete) {
    return CheckConfig(name, tensors, *config);
  }
  TRITONBACKEND_Backend* backend = nullptr;
  BackendConfig settings;
  std::int64_t default_max_batch_size = kDefaultMaxBatchSize;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelBackend(model, &backend));
  HEADRACE_BACKEND_RETURN_IF_ERROR(BackendConfig::Read(backend, &settings));
  HEADRACE_BACKEND_RETURN_IF_ERROR(settings.Get("default-max-batch-size", &default_max_batch_size));
  bool changed = false;
  bool add_dynamic_batching = false;
  HEADRACE_BACKEND_RETURN_IF_ERROR(CompleteConfig(name, tensors, default_max_batch_size, config,
                                                  &changed, &add_dynamic_batching));
  if (changed) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(config->Propose(model, add_dynamic_batching));
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(model, config));
  }
  return CheckConfig(name, tensors, *config);
}

}  // namespace headrace::backend

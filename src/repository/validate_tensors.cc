#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "repository/protobuf_messages.h"
#include "repository/validate.h"
#include "tensor/shape.h"

namespace headrace::repository {
namespace {

using Dims = google::protobuf::RepeatedField<std::int64_t>;

Status CheckDims(const Dims& dims, bool zero_allowed, const std::string& who) {
  // One place is kept for the batch dimension.
  if (static_cast<std::size_t>(dims.size()) >= Shape::kRankMax) {
    return InvalidArgument("{}has {} dimensions, at most {} are supported", who, dims.size(),
                           Shape::kRankMax - 1);
  }
  for (const std::int64_t dim : dims) {
    if (dim != -1 && dim < (zero_allowed ? 0 : 1)) {
      return InvalidArgument(
          "{}dimension must be integer >= 1, or -1 to indicate a variable-size dimension", who);
    }
    if (dim > kDimensionMax) {
      return InvalidArgument("{}dimension must be at most {}", who, kDimensionMax);
    }
  }
  return OkStatus();
}

// The element counts of the stretches between the variable dimensions; nothing if one overflows.
std::optional<std::vector<std::int64_t>> Stretches(const Dims& dims) {
  std::vector<std::int64_t> counts = {1};
  for (const std::int64_t dim : dims) {
    if (dim == -1) {
      counts.push_back(1);
      continue;
    }
    const auto product = CheckedMultiply(counts.back(), dim);
    if (!product) {
      return std::nullopt;
    }
    counts.back() = *product;
  }
  return counts;
}

template <typename Tensor>
Status CheckReshape(const Tensor& tensor, int batch_size_max, const std::string& who) {
  const Dims& shape = tensor.reshape().shape();
  if (shape.empty() && batch_size_max == 0) {
    return InvalidArgument(
        "{}cannot have empty reshape for non-batching model as scalar tensors are not supported",
        who);
  }
  HEADRACE_RETURN_IF_ERROR(CheckDims(shape, true, who));
  const auto dims_counts = Stretches(tensor.dims());
  const auto shape_counts = Stretches(shape);
  if (!dims_counts || !shape_counts) {
    return InvalidArgument("{}has more elements than can be counted", who);
  }
  if (dims_counts->size() != shape_counts->size()) {
    return InvalidArgument(
        "{}has different number of variable-size dimensions for dims and reshape", who);
  }
  if (*dims_counts != *shape_counts) {
    return InvalidArgument("{}has different size for dims and reshape", who);
  }
  return OkStatus();
}

template <typename Tensor>
Status CheckTensor(const Tensor& tensor, const inference::ModelConfig& config,
                   const std::string& prefix) {
  if (tensor.name().empty()) {
    return InvalidArgument("{}must specify 'name'", prefix);
  }
  const std::string who = fmt::format("{}'{}' ", prefix, tensor.name());
  if (tensor.data_type() == inference::TYPE_INVALID) {
    return InvalidArgument("{}must specify 'data_type'", who);
  }
  if (!inference::DataType_IsValid(tensor.data_type())) {
    return InvalidArgument("{}has an unknown 'data_type'", who);
  }
  if (tensor.dims().empty()) {
    return InvalidArgument("{}must specify 'dims'", prefix);
  }
  HEADRACE_RETURN_IF_ERROR(CheckDims(tensor.dims(), false, prefix));
  if (tensor.has_reshape()) {
    HEADRACE_RETURN_IF_ERROR(CheckReshape(tensor, config.max_batch_size(), who));
  }
  if (tensor.is_shape_tensor() && config.platform() != "tensorrt_plan") {
    return InvalidArgument("shape tensors are only supported for TensorRT platform");
  }
  return OkStatus();
}

Status CheckInput(const inference::ModelInput& input, const inference::ModelConfig& config) {
  HEADRACE_RETURN_IF_ERROR(CheckTensor(input, config, "model input "));
  if (input.format() != inference::ModelInput::FORMAT_NONE && input.dims_size() != 3) {
    return InvalidArgument("model input NHWC/NCHW require 3 dims");
  }
  if (input.allow_ragged_batch() && config.max_batch_size() == 0) {
    return InvalidArgument("model input '{}' allows ragged batches but the model does not batch",
                           input.name());
  }
  return OkStatus();
}

// What batch_input and batch_output share.
template <typename Tensor>
Status CheckBatchTensor(const char* field, const Tensor& tensor,
                        const std::set<std::string_view>& inputs) {
  if (tensor.target_name().empty()) {
    return InvalidArgument("{} must specify 'target_name'", field);
  }
  if (!Tensor::Kind_IsValid(tensor.kind())) {
    return InvalidArgument("unknown {} kind '{}'", field, static_cast<int>(tensor.kind()));
  }
  if (tensor.source_input_size() != 1) {
    return InvalidArgument("{} kind '{}' must have exactly one 'source_input', got {}", field,
                           Tensor::Kind_Name(tensor.kind()), tensor.source_input_size());
  }
  if (inputs.count(tensor.source_input(0)) == 0) {
    return InvalidArgument("{} names unknown source input '{}'", field, tensor.source_input(0));
  }
  return OkStatus();
}

// A target is an input that the backend makes: no request may give it, and nothing else make it.
Status CheckBatchInput(const inference::BatchInput& tensor,
                       const std::set<std::string_view>& inputs,
                       std::set<std::string_view>& targets) {
  HEADRACE_RETURN_IF_ERROR(CheckBatchTensor("batch input", tensor, inputs));
  if (tensor.data_type() != inference::TYPE_INT32 && tensor.data_type() != inference::TYPE_FP32) {
    return InvalidArgument("batch input data type must be TYPE_INT32 or TYPE_FP32");
  }
  for (const std::string& target : tensor.target_name()) {
    if (inputs.count(target) != 0) {
      return InvalidArgument("batch input has target '{}', which is an 'input' of requests",
                             target);
    }
    if (!targets.insert(target).second) {
      return InvalidArgument("batch input target '{}' can only be specified once", target);
    }
  }
  return OkStatus();
}

Status CheckBatchOutput(const inference::BatchOutput& tensor, const inference::ModelConfig& config,
                        const std::set<std::string_view>& inputs,
                        std::set<std::string_view>& targets) {
  HEADRACE_RETURN_IF_ERROR(CheckBatchTensor("batch output", tensor, inputs));
  for (const std::string& target : tensor.target_name()) {
    const bool known = std::any_of(config.output().begin(), config.output().end(),
                                   [&](const auto& output) { return output.name() == target; });
    if (!known) {
      return InvalidArgument("unknown target output name '{}'", target);
    }
    if (!targets.insert(target).second) {
      return InvalidArgument("target output name '{}' can only be specified once", target);
    }
  }
  return OkStatus();
}

Status CheckBatchTensors(const inference::ModelConfig& config) {
  std::set<std::string_view> inputs;
  for (const auto& input : config.input()) {
    inputs.insert(input.name());
  }
  std::set<std::string_view> targets;
  for (const auto& tensor : config.batch_input()) {
    HEADRACE_RETURN_IF_ERROR(CheckBatchInput(tensor, inputs, targets));
  }
  targets.clear();
  for (const auto& tensor : config.batch_output()) {
    HEADRACE_RETURN_IF_ERROR(CheckBatchOutput(tensor, config, inputs, targets));
  }
  return OkStatus();
}

Status CheckTensors(const inference::ModelConfig& config) {
  std::set<std::string_view> inputs;
  for (const auto& input : config.input()) {
    HEADRACE_RETURN_IF_ERROR(CheckInput(input, config));
    if (!inputs.insert(input.name()).second) {
      return InvalidArgument("model input '{}' is given twice", input.name());
    }
  }
  std::set<std::string_view> outputs;
  for (const auto& output : config.output()) {
    HEADRACE_RETURN_IF_ERROR(CheckTensor(output, config, "model output "));
    if (!outputs.insert(output.name()).second) {
      return InvalidArgument("model output '{}' is given twice", output.name());
    }
  }
  return CheckBatchTensors(config);
}

}  // namespace

Status ValidateTensors(const inference::ModelConfig& config) {
  const Status status = CheckTensors(config);
  return status.ok() ? status : InvalidArgument("{} for {}", status.message(), config.name());
}

}  // namespace headrace::repository

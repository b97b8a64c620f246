#include "openvino/model_shaping.h"

#include <algorithm>
#include <map>
#include <openvino/core/layout.hpp>

#include "common/log.h"

namespace headrace::backend {
namespace {

using Shapes = std::map<ov::Output<ov::Node>, ov::PartialShape>;

bool HasBatchLayout(const ov::Layout& layout) {
  return !layout.empty() && ov::layout::has_batch(layout) && ov::layout::batch_idx(layout) == 0;
}

bool LayoutsSayBatch(const ov::Model& model) {
  const auto& inputs = model.inputs();
  const auto& outputs = model.outputs();
  return std::all_of(
             inputs.begin(), inputs.end(),
             [](const auto& port) { return HasBatchLayout(ov::layout::get_layout(port)); }) &&
         std::all_of(outputs.begin(), outputs.end(),
                     [](const auto& port) { return HasBatchLayout(ov::layout::get_layout(port)); });
}

// The first dimension that every input has; nothing if one has none, or they differ.
bool CommonBatch(const ov::Model& model, ov::Dimension* batch) {
  bool first = true;
  for (const auto& input : model.inputs()) {
    const ov::PartialShape& shape = input.get_partial_shape();
    if (shape.rank().is_dynamic() || shape.size() == 0 || (!first && shape[0] != *batch)) {
      return false;
    }
    *batch = shape[0];
    first = false;
  }
  return !first;
}

void SetBatch(const ov::Dimension& batch, ov::Model& model) {
  Shapes shapes;
  for (const auto& input : model.inputs()) {
    ov::PartialShape shape = input.get_partial_shape();
    shape[0] = batch;
    shapes[input] = shape;
  }
  model.reshape(shapes);
}

const TensorConfig* FindConfigured(const ov::Output<ov::Node>& input, const ModelConfig& config) {
  for (const TensorConfig& tensor : config.inputs) {
    if (input.get_names().count(tensor.name) != 0) {
      return &tensor;
    }
  }
  return nullptr;
}

// The configuration's dims for every input that it names, with `batch` before them.
void ReshapeToConfig(const ModelConfig& config, const ov::Dimension& batch, ov::Model& model) {
  Shapes shapes;
  for (const auto& input : model.inputs()) {
    const TensorConfig* tensor = FindConfigured(input, config);
    if (tensor == nullptr) {
      continue;
    }
    ov::PartialShape shape;
    if (config.max_batch_size > 0) {
      shape.push_back(batch);
    }
    for (const std::int64_t dim : tensor->backend_dims()) {
      shape.push_back(dim < 0 ? ov::Dimension::dynamic() : ov::Dimension(dim));
    }
    shapes[input] = shape;
  }
  model.reshape(shapes);
}

// Whether the first dimension, as the model has it, is one that can be told to be the batch's.
bool IsBatch(const ov::Dimension& dimension, std::int64_t max_batch_size) {
  return dimension.is_dynamic() || dimension.get_length() == 1 ||
         dimension.get_length() == max_batch_size;
}

}  // namespace

Error ShapeModel(const ModelConfig& config, const OpenVinoSettings& settings, ov::Model& model,
                 std::int64_t* fixed_batch) {
  *fixed_batch = 0;
  const bool untouched = config.inputs.empty() && config.outputs.empty();
  const bool batches =
      config.max_batch_size > 0 || (untouched && LayoutsSayBatch(model) && settings.variable_batch);
  const ov::Dimension batch =
      settings.variable_batch ? ov::Dimension::dynamic() : ov::Dimension(config.max_batch_size);
  if (settings.reshape_to_config) {
    ReshapeToConfig(config, batch, model);
  }
  ov::Dimension common;
  if (!batches || !CommonBatch(model, &common) || !IsBatch(common, config.max_batch_size)) {
    return {};
  }
  if (common != batch) {
    SetBatch(batch, model);
    HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_INFO,
                         "model '{}' was made for batches of {}; its first dimension is {} now",
                         model.get_friendly_name(), common.to_string(), batch.to_string());
  }
  *fixed_batch = settings.variable_batch ? 0 : config.max_batch_size;
  return {};
}

}  // namespace headrace::backend

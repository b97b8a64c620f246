#include "openvino/node_profile.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <openvino/core/version.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "openvino/node_work.h"

namespace headrace::backend {
namespace {

// Looks at the runtime's model for one combination of input shapes: it may show another stream's.
constexpr int kLooksMax = 4;
constexpr std::size_t kShapesMax = 64;

std::string Information(const ov::Node& node, const char* key) {
  const auto found = node.get_rt_info().find(key);
  return found != node.get_rt_info().end() && found->second.is<std::string>()
             ? found->second.as<std::string>()
             : std::string();
}

OperatorTensor TensorOf(const ov::PartialShape& shape, const ov::element::Type& type) {
  constexpr std::size_t kBitsOfAByte = 8;
  OperatorTensor tensor{.dims = {}, .element_byte_size = type.bitwidth() / kBitsOfAByte};
  if (shape.is_dynamic()) {
    tensor.dims = {-1};
    return tensor;
  }
  for (const std::size_t dim : shape.to_shape()) {
    tensor.dims.push_back(static_cast<std::int64_t>(dim));
  }
  return tensor;
}

// Weights are shown as the file has them, and read as the node computes.
std::uint64_t WeightByteSize(const std::string& precision, std::uint64_t of_file) {
  const bool half = precision == "bf16" || precision == "f16";
  const bool byte = precision == "i8" || precision == "u8" || precision == "I8";
  return std::min<std::uint64_t>(of_file, byte ? 1 : half ? 2 : of_file);
}

OperatorWork WorkOf(const ov::Node& node) {
  const std::string precision = Information(node, "runtimePrecision");
  std::vector<OperatorTensor> inputs;
  for (std::size_t i = 0; i < node.get_input_size(); ++i) {
    OperatorTensor tensor =
        TensorOf(node.get_input_partial_shape(i), node.get_input_element_type(i));
    if (Information(*node.get_input_node_ptr(i), "layerType") == "Const") {
      tensor.element_byte_size = WeightByteSize(precision, tensor.element_byte_size);
    }
    inputs.push_back(std::move(tensor));
  }
  std::vector<OperatorTensor> outputs;
  for (std::size_t i = 0; i < node.get_output_size(); ++i) {
    outputs.push_back(TensorOf(node.get_output_partial_shape(i), node.get_output_element_type(i)));
  }
  return WorkOfLayer(Information(node, "layerType"), inputs, outputs);
}

// Whether the runtime's model shows a run with these inputs.
bool ShowsInputs(const ov::Model& model, std::vector<ov::Shape> shapes) {
  std::vector<ov::Shape> shown;
  for (const auto& parameter : model.get_parameters()) {
    if (parameter->get_output_partial_shape(0).is_dynamic()) {
      return false;
    }
    shown.push_back(parameter->get_output_shape(0));
  }
  // In whichever order it has them.
  std::sort(shown.begin(), shown.end());
  std::sort(shapes.begin(), shapes.end());
  return shown == shapes;
}

}  // namespace

Error NodeProfile::Model(std::shared_ptr<CompiledModel>* model) {
  const std::lock_guard lock(mutex_);
  if (model_ == nullptr) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(compile_(&model_));
    const auto threads = model_->compiled().get_property(ov::inference_num_threads);
    const auto streams = static_cast<int>(model_->compiled().get_property(ov::num_streams));
    threads_ = std::max(1, static_cast<int>(threads) / std::max(1, streams));
  }
  *model = model_;
  return {};
}

const NodeProfile::Works* NodeProfile::WorksOf(ov::InferRequest& request) {
  if (model_ == nullptr) {
    return nullptr;
  }
  std::vector<ov::Shape> shapes;
  for (std::size_t i = 0; i < model_->compiled().inputs().size(); ++i) {
    shapes.push_back(request.get_input_tensor(i).get_shape());
  }
  if (works_.size() >= kShapesMax && !works_.contains(shapes)) {
    return nullptr;
  }
  ShapeWorks& known = works_[shapes];
  if (!known.works.has_value() && known.looks < kLooksMax) {
    ++known.looks;
    const std::shared_ptr<const ov::Model> shown = model_->compiled().get_runtime_model();
    if (ShowsInputs(*shown, shapes)) {
      known.works.emplace();
      for (const auto& node : shown->get_ordered_ops()) {
        known.works->emplace(node->get_friendly_name(), WorkOf(*node));
      }
    }
  }
  return known.works.has_value() ? &*known.works : nullptr;
}

void NodeProfile::Add(ov::InferRequest& request) {
  const std::vector<ov::ProfilingInfo> nodes = request.get_profiling_info();
  const std::lock_guard lock(mutex_);
  const Works* const works = WorksOf(request);
  for (const ov::ProfilingInfo& node : nodes) {
    if (node.status != ov::ProfilingInfo::Status::EXECUTED) {
      continue;
    }
    OperatorTotal& total = nodes_[node.node_name];
    if (total.count == 0) {
      total.name = node.node_name;
      total.kind = node.node_type;
      total.detail = node.exec_type;
    }
    const std::int64_t duration =
        std::chrono::duration_cast<std::chrono::nanoseconds>(node.real_time).count();
    ++total.count;
    total.duration_ns += duration;
    if (works == nullptr) {
      continue;
    }
    const auto work = works->find(node.node_name);
    if (work != works->end() && work->second.flops + work->second.moved_byte_size > 0) {
      total.work.flops += work->second.flops;
      total.work.moved_byte_size += work->second.moved_byte_size;
      ++total.worked_count;
      total.worked_ns += duration;
    }
  }
}

void NodeProfile::Finish(OperatorProfile* profile) {
  const std::lock_guard lock(mutex_);
  profile->runtime = std::string("OpenVINO ") + ov::get_openvino_version().buildNumber;
  profile->note =
      "OpenVINO sums up its nodes and gives no times of day: they are not in the timeline";
  profile->memory_note = "OpenVINO does not tell what its nodes allocate";
  profile->threads = threads_;
  for (auto& [name, total] : nodes_) {
    profile->totals.push_back(std::move(total));
  }
  nodes_.clear();
  works_.clear();
  model_.reset();
}

}  // namespace headrace::backend

#include "openvino/compiled_model.h"

#include <algorithm>
#include <array>
#include <openvino/openvino.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "openvino/failure_text.h"
#include "openvino/model_shaping.h"

namespace headrace::backend {
namespace {

constexpr std::string_view kFirstOutput = ":0";

// What a tensor of a frozen graph is called by its users: as the operation that makes it.
std::string WithoutFirstOutput(const std::string& name) {
  return name.ends_with(kFirstOutput) ? name.substr(0, name.size() - kFirstOutput.size()) : name;
}

bool IsFrozenGraph(const std::string& path) {
  return path.ends_with(".graphdef") || path.ends_with(".pb");
}

// The name that the configuration uses for a port, or else the port's own.
std::string NameOf(const ov::Output<const ov::Node>& port,
                   const std::vector<TensorConfig>& configured, bool frozen_graph) {
  const auto& names = port.get_names();
  for (const TensorConfig& tensor : configured) {
    if (names.count(tensor.name) != 0 ||
        (frozen_graph && names.count(tensor.name + std::string(kFirstOutput)) != 0)) {
      return tensor.name;
    }
  }
  const std::string& of_node = port.get_node()->get_friendly_name();
  // The shortest is the one that the model's maker gave; the runtime adds others with suffixes.
  const auto shortest =
      std::min_element(names.begin(), names.end(), [](const auto& a, const auto& b) {
        return std::pair(a.size(), std::string_view(a)) < std::pair(b.size(), std::string_view(b));
      });
  const std::string& name = frozen_graph && names.count(of_node) != 0 ? of_node
                            : shortest == names.end()                 ? of_node
                                                                      : *shortest;
  return frozen_graph ? WithoutFirstOutput(name) : name;
}

TensorInfo Describe(const ov::Output<const ov::Node>& port, std::string name) {
  TensorInfo info;
  info.name = std::move(name);
  info.dtype = DataTypeFromOpenVino(port.get_element_type());
  const ov::PartialShape& shape = port.get_partial_shape();
  if (shape.rank().is_static()) {
    for (const ov::Dimension& dim : shape) {
      info.shape.push_back(dim.is_static() ? dim.get_length() : -1);
    }
  }
  return info;
}

// A frozen graph says nothing of outputs: its last operations are taken for them. A configuration
// may name any other operation.
void AddConfiguredOutputs(const ModelConfig& config, ov::Model& model) {
  for (const TensorConfig& tensor : config.outputs) {
    const std::string name = WithoutFirstOutput(tensor.name) + std::string(kFirstOutput);
    const auto& outputs = model.outputs();
    const bool known = std::any_of(outputs.begin(), outputs.end(), [&](const auto& port) {
      return port.get_names().count(name) != 0;
    });
    for (const auto& node : known ? ov::NodeVector() : model.get_ordered_ops()) {
      if (node->get_output_size() > 0 && node->output(0).get_names().count(name) != 0) {
        model.add_output(node->output(0));
        break;
      }
    }
  }
}

}  // namespace

TRITONSERVER_DataType DataTypeFromOpenVino(const ov::element::Type& type) {
  static const std::array<std::pair<ov::element::Type, TRITONSERVER_DataType>, 14> kTypes = {{
      {ov::element::boolean, TRITONSERVER_TYPE_BOOL},
      {ov::element::u8, TRITONSERVER_TYPE_UINT8},
      {ov::element::u16, TRITONSERVER_TYPE_UINT16},
      {ov::element::u32, TRITONSERVER_TYPE_UINT32},
      {ov::element::u64, TRITONSERVER_TYPE_UINT64},
      {ov::element::i8, TRITONSERVER_TYPE_INT8},
      {ov::element::i16, TRITONSERVER_TYPE_INT16},
      {ov::element::i32, TRITONSERVER_TYPE_INT32},
      {ov::element::i64, TRITONSERVER_TYPE_INT64},
      {ov::element::f16, TRITONSERVER_TYPE_FP16},
      {ov::element::f32, TRITONSERVER_TYPE_FP32},
      {ov::element::f64, TRITONSERVER_TYPE_FP64},
      {ov::element::string, TRITONSERVER_TYPE_BYTES},
      {ov::element::bf16, TRITONSERVER_TYPE_BF16},
  }};
  for (const auto& [openvino, triton] : kTypes) {
    if (openvino == type) {
      return triton;
    }
  }
  return TRITONSERVER_TYPE_INVALID;
}

ov::Core& SharedCore() {
  // Never destroyed: models of other threads may outlive any order that the process's end would
  // choose.
  static ov::Core* const core = [] {
    auto made = std::make_unique<ov::Core>();
    made->set_property(ov::enable_mmap(false));
    return made.release();
  }();
  return *core;
}

Error CompiledModel::Load(const ModelSource& source, const ModelConfig& config,
                          const ModelProbe& probe, std::int64_t bound_threads,
                          std::shared_ptr<CompiledModel>* model, bool counts_nodes) {
  return Guarded("openvino", [&]() -> Error {
    HEADRACE_BACKEND_RETURN_IF_ERROR(CheckModelFile(source));
    HEADRACE_BACKEND_RETURN_IF_ERROR(probe.Check(source.path));
    auto loaded = std::make_shared<CompiledModel>();
    try {
      HEADRACE_BACKEND_RETURN_IF_ERROR(
          loaded->Compile(source, config, bound_threads, counts_nodes));
    } catch (const ov::Exception& failure) {
      return Internal("openvino: {}", FailureText(failure.what()));
    }
    *model = std::move(loaded);
    return {};
  });
}

Error CompiledModel::Compile(const ModelSource& source, const ModelConfig& config,
                             std::int64_t bound_threads, bool counts_nodes) {
  ov::Core& core = SharedCore();
  OpenVinoSettings settings;
  HEADRACE_BACKEND_RETURN_IF_ERROR(OpenVinoSettings::Read(core, config, &settings));
  if (bound_threads > 0) {
    // What the configuration says itself stays.
    settings.properties.emplace(ov::hint::enable_cpu_pinning.name(), false);
    settings.properties.emplace(ov::inference_num_threads.name(), bound_threads);
  }
  if (counts_nodes) {
    settings.properties[ov::enable_profiling.name()] = true;
  }
  if (!settings.extension_path.empty()) {
    core.add_extension(settings.extension_path);
  }
  const std::shared_ptr<ov::Model> model = core.read_model(source.path);
  const bool frozen_graph = IsFrozenGraph(source.path);
  if (frozen_graph) {
    AddConfiguredOutputs(config, *model);
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(ShapeModel(config, settings, *model, &fixed_batch_));
  pads_batches_ = settings.pad_batches;
  compiled_ = core.compile_model(model, settings.device, settings.properties);
  for (const auto& port : compiled_.inputs()) {
    tensors_.inputs.push_back(Describe(port, NameOf(port, config.CallInputs(), frozen_graph)));
  }
  for (const auto& port : compiled_.outputs()) {
    tensors_.outputs.push_back(Describe(port, NameOf(port, config.outputs, frozen_graph)));
  }
  LeaveBatchOpen();
  return {};
}

void CompiledModel::LeaveBatchOpen() {
  for (auto* tensors : {&tensors_.inputs, &tensors_.outputs}) {
    for (TensorInfo& info : *tensors) {
      if (fixed_batch_ > 0 && !info.shape.empty() && info.shape.front() == fixed_batch_) {
        info.shape.front() = -1;
      }
    }
  }
}

}  // namespace headrace::backend

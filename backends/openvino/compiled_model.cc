#include "openvino/compiled_model.h"

#include <algorithm>
#include <array>
#include <openvino/openvino.hpp>
#include <utility>
#include <vector>

#include "common/log.h"

namespace headrace::backend {
namespace {

// The name that the configuration uses for a port, or the port's own.
std::string NameOf(const ov::Output<const ov::Node>& port,
                   const std::vector<TensorConfig>& configured) {
  const auto& names = port.get_names();
  for (const TensorConfig& tensor : configured) {
    if (names.count(tensor.name) != 0) {
      return tensor.name;
    }
  }
  // The shortest is the one that the model's maker gave; the runtime adds others with suffixes.
  const auto shortest =
      std::min_element(names.begin(), names.end(), [](const auto& a, const auto& b) {
        return std::pair(a.size(), std::string_view(a)) < std::pair(b.size(), std::string_view(b));
      });
  return shortest == names.end() ? port.get_node()->get_friendly_name() : *shortest;
}

TensorInfo Describe(const ov::Output<const ov::Node>& port,
                    const std::vector<TensorConfig>& configured) {
  TensorInfo info;
  info.name = NameOf(port, configured);
  info.dtype = DataTypeFromOpenVino(port.get_element_type());
  const ov::PartialShape& shape = port.get_partial_shape();
  if (shape.rank().is_static()) {
    for (const ov::Dimension& dim : shape) {
      info.shape.push_back(dim.is_static() ? dim.get_length() : -1);
    }
  }
  return info;
}

// Makes a first dimension of 1 variable in every input. The outputs must follow, or the model
// cannot batch.
bool MakeBatchVariable(const std::shared_ptr<ov::Model>& model) {
  std::map<ov::Output<ov::Node>, ov::PartialShape> shapes;
  bool changed = false;
  for (const auto& input : model->inputs()) {
    ov::PartialShape shape = input.get_partial_shape();
    if (shape.rank().is_dynamic() || shape.size() == 0 || (shape[0].is_static() && shape[0] != 1)) {
      return false;
    }
    changed = changed || shape[0].is_static();
    shape[0] = ov::Dimension::dynamic();
    shapes[input] = shape;
  }
  if (changed) {
    model->reshape(shapes);
  }
  return changed;
}

Error Compile(const std::string& path, const ModelConfig& config, ov::CompiledModel* compiled) {
  ov::Core& core = SharedCore();
  OpenVinoSettings settings;
  HEADRACE_BACKEND_RETURN_IF_ERROR(OpenVinoSettings::Read(core, config, &settings));
  if (!settings.extension_path.empty()) {
    core.add_extension(settings.extension_path);
  }
  const std::shared_ptr<ov::Model> model = core.read_model(path);
  if (config.max_batch_size > 0 && settings.dynamic_batch && MakeBatchVariable(model)) {
    HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_INFO,
                         "'{}' was made for batches of 1; its first dimension is variable now",
                         path);
  }
  *compiled = core.compile_model(model, settings.device, settings.properties);
  return {};
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
  static ov::Core* const core = new ov::Core();
  return *core;
}

Error CompiledModel::Load(const std::string& path, const ModelConfig& config,
                          std::shared_ptr<CompiledModel>* model) {
  return Guarded("openvino", [&]() -> Error {
    auto loaded = std::make_shared<CompiledModel>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(Compile(path, config, &loaded->compiled_));
    for (const auto& port : loaded->compiled_.inputs()) {
      loaded->tensors_.inputs.push_back(Describe(port, config.inputs));
    }
    for (const auto& port : loaded->compiled_.outputs()) {
      loaded->tensors_.outputs.push_back(Describe(port, config.outputs));
    }
    *model = std::move(loaded);
    return {};
  });
}

}  // namespace headrace::backend

// Reads a model configuration from JSON.
#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/model_config.h"

namespace headrace::backend {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
bool FromText(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, *value);
  return failure == std::errc() && stop == end;
}

// Servers print 64-bit integers as numbers or, as protobuf does, as strings.
Error ReadInteger(const Json& value, const char* field, std::int64_t* out) {
  if (value.is_number_integer()) {
    *out = value.get<std::int64_t>();
    return {};
  }
  if (value.is_string() && FromText(value.get_ref<const std::string&>(), out)) {
    return {};
  }
  return InvalidArgument("model configuration: '{}' is not an integer", field);
}

Error ReadDims(const Json& value, const char* field, std::vector<std::int64_t>* dims) {
  if (!value.is_array()) {
    return InvalidArgument("model configuration: '{}' is not an array", field);
  }
  dims->clear();
  for (const Json& dim : value) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadInteger(dim, field, &dims->emplace_back()));
  }
  return {};
}

std::string StringOr(const Json& object, const char* key, const char* otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : otherwise;
}

bool BoolOr(const Json& object, const char* key, bool otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() ? it->get<bool>() : otherwise;
}

Error ReadTensor(const Json& json, const char* field, TensorConfig* tensor) {
  if (!json.is_object()) {
    return InvalidArgument("model configuration: an element of '{}' is not an object", field);
  }
  tensor->name = StringOr(json, "name", "");
  tensor->dtype = DataTypeFromConfigName(StringOr(json, "data_type", ""));
  tensor->optional = BoolOr(json, "optional", false);
  tensor->allow_ragged_batch = BoolOr(json, "allow_ragged_batch", false);
  tensor->label_filename = StringOr(json, "label_filename", "");
  if (const auto dims = json.find("dims"); dims != json.end()) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadDims(*dims, "dims", &tensor->dims));
  }
  if (const auto reshape = json.find("reshape"); reshape != json.end() && reshape->is_object()) {
    tensor->reshape.emplace();
    if (const auto shape = reshape->find("shape"); shape != reshape->end()) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(ReadDims(*shape, "reshape.shape", &*tensor->reshape));
    }
  }
  return {};
}

Error ReadTensors(const Json& root, const char* field, std::vector<TensorConfig>* tensors) {
  const auto list = root.find(field);
  if (list == root.end()) {
    return {};
  }
  if (!list->is_array()) {
    return InvalidArgument("model configuration: '{}' is not an array", field);
  }
  for (const Json& element : *list) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadTensor(element, field, &tensors->emplace_back()));
  }
  return {};
}

constexpr std::pair<const char*, BatchInputConfig::Kind> kBatchInputKinds[] = {
    {"BATCH_ELEMENT_COUNT", BatchInputConfig::Kind::kElementCount},
    {"BATCH_ACCUMULATED_ELEMENT_COUNT", BatchInputConfig::Kind::kAccumulatedElementCount},
    {"BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO",
     BatchInputConfig::Kind::kAccumulatedElementCountWithZero},
    {"BATCH_MAX_ELEMENT_COUNT_AS_SHAPE", BatchInputConfig::Kind::kMaxElementCountAsShape},
    {"BATCH_ITEM_SHAPE", BatchInputConfig::Kind::kItemShape},
    {"BATCH_ITEM_SHAPE_FLATTEN", BatchInputConfig::Kind::kItemShapeFlatten},
};

// The object or array at a path of keys, or an empty one.
Json At(const Json& root, std::initializer_list<const char*> path) {
  const Json* node = &root;
  for (const char* key : path) {
    const auto next = node->is_object() ? node->find(key) : node->end();
    if (next == node->end()) {
      return Json::array();
    }
    node = &*next;
  }
  return *node;
}

std::vector<std::string> ReadStrings(const Json& array) {
  std::vector<std::string> strings;
  for (const Json& element : array) {
    strings.push_back(element.is_string() ? element.get<std::string>() : "");
  }
  return strings;
}

// The only source that every kind has.
Error ReadSource(const Json& element, const char* field, std::string* source) {
  const std::vector<std::string> sources = ReadStrings(At(element, {"source_input"}));
  if (sources.size() != 1) {
    return InvalidArgument("{} must have exactly one 'source_input', got {}", field,
                           sources.size());
  }
  *source = sources.front();
  return {};
}

Error ReadBatchInput(const Json& element, BatchInputConfig* input) {
  const std::string kind = StringOr(element, "kind", kBatchInputKinds[0].first);
  const auto* const known = std::find_if(std::begin(kBatchInputKinds), std::end(kBatchInputKinds),
                                         [&](const auto& entry) { return kind == entry.first; });
  if (known == std::end(kBatchInputKinds)) {
    return InvalidArgument("unknown batch input kind '{}'", kind);
  }
  input->kind = known->second;
  input->dtype = DataTypeFromConfigName(StringOr(element, "data_type", ""));
  if (input->dtype != TRITONSERVER_TYPE_INT32 && input->dtype != TRITONSERVER_TYPE_FP32) {
    return InvalidArgument("batch input data type must be TYPE_INT32 or TYPE_FP32");
  }
  input->targets = ReadStrings(At(element, {"target_name"}));
  return ReadSource(element, "batch input", &input->source);
}

Error ReadBatchOutput(const Json& element, BatchOutputConfig* output) {
  const std::string kind = StringOr(element, "kind", "BATCH_SCATTER_WITH_INPUT_SHAPE");
  if (kind != "BATCH_SCATTER_WITH_INPUT_SHAPE") {
    return InvalidArgument("unknown batch output kind '{}'", kind);
  }
  output->targets = ReadStrings(At(element, {"target_name"}));
  return ReadSource(element, "batch output", &output->source);
}

std::vector<AcceleratorConfig> ReadAccelerators(const Json& root, const char* kind) {
  std::vector<AcceleratorConfig> accelerators;
  for (const Json& element : At(root, {"optimization", "execution_accelerators", kind})) {
    AcceleratorConfig& accelerator = accelerators.emplace_back();
    if (!element.is_object()) {
      continue;
    }
    accelerator.name = StringOr(element, "name", "");
    const Json parameters = At(element, {"parameters"});
    for (const auto& [key, value] : parameters.items()) {
      accelerator.parameters[key] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
  return accelerators;
}

Error ReadGroups(const Json& root, std::vector<InstanceGroupConfig>* groups) {
  for (const Json& element : At(root, {"instance_group"})) {
    InstanceGroupConfig& group = groups->emplace_back();
    if (!element.is_object()) {
      continue;
    }
    group.kind = StringOr(element, "kind", "KIND_AUTO");
    if (const auto count = element.find("count"); count != element.end()) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(ReadInteger(*count, "instance_group.count", &group.count));
    }
    if (const auto gpus = element.find("gpus"); gpus != element.end()) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(ReadDims(*gpus, "instance_group.gpus", &group.gpus));
    }
  }
  return {};
}

}  // namespace

Error ModelConfig::Parse(std::string_view json, ModelConfig* config) {
  const Json root = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return InvalidArgument("model configuration: not a JSON object");
  }
  ModelConfig result;
  result.json_ = json;
  if (const auto it = root.find("max_batch_size"); it != root.end()) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadInteger(*it, "max_batch_size", &result.max_batch_size));
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadTensors(root, "input", &result.inputs));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadTensors(root, "output", &result.outputs));
  for (const Json& element : At(root, {"batch_input"})) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadBatchInput(element, &result.batch_inputs.emplace_back()));
  }
  for (const Json& element : At(root, {"batch_output"})) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        ReadBatchOutput(element, &result.batch_outputs.emplace_back()));
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(SequenceConfig::Parse(json, &result.sequence));
  result.has_scheduling = root.contains("dynamic_batching") || root.contains("sequence_batching") ||
                          root.contains("ensemble_scheduling");
  result.default_model_filename = StringOr(root, "default_model_filename", "");
  result.cpu_accelerators = ReadAccelerators(root, "cpu_execution_accelerator");
  result.gpu_accelerators = ReadAccelerators(root, "gpu_execution_accelerator");
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadGroups(root, &result.instance_groups));
  result.op_libraries = ReadStrings(At(root, {"model_operations", "op_library_filename"}));
  if (const auto it = root.find("parameters"); it != root.end() && it->is_object()) {
    for (const auto& [key, value] : it->items()) {
      if (value.is_object()) {
        result.parameters_[key] = StringOr(value, "string_value", "");
      }
    }
  }
  *config = std::move(result);
  return {};
}

}  // namespace headrace::backend

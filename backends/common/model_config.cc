#include "common/model_config.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>

namespace headrace::backend {
namespace {

using Json = nlohmann::ordered_json;

struct DataTypeName {
  const char* name;
  TRITONSERVER_DataType dtype;
};
constexpr DataTypeName kDataTypeNames[] = {
    {"TYPE_BOOL", TRITONSERVER_TYPE_BOOL},     {"TYPE_UINT8", TRITONSERVER_TYPE_UINT8},
    {"TYPE_UINT16", TRITONSERVER_TYPE_UINT16}, {"TYPE_UINT32", TRITONSERVER_TYPE_UINT32},
    {"TYPE_UINT64", TRITONSERVER_TYPE_UINT64}, {"TYPE_INT8", TRITONSERVER_TYPE_INT8},
    {"TYPE_INT16", TRITONSERVER_TYPE_INT16},   {"TYPE_INT32", TRITONSERVER_TYPE_INT32},
    {"TYPE_INT64", TRITONSERVER_TYPE_INT64},   {"TYPE_FP16", TRITONSERVER_TYPE_FP16},
    {"TYPE_FP32", TRITONSERVER_TYPE_FP32},     {"TYPE_FP64", TRITONSERVER_TYPE_FP64},
    {"TYPE_STRING", TRITONSERVER_TYPE_BYTES},  {"TYPE_BF16", TRITONSERVER_TYPE_BF16},
};

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

// The tensors as JSON; what this backend does not know of a tensor that was there before is kept.
Json WriteTensors(const Json& root, const char* field, const std::vector<TensorConfig>& tensors) {
  Json result = Json::array();
  for (const TensorConfig& tensor : tensors) {
    Json json = Json::object();
    if (const auto before = root.find(field); before != root.end() && before->is_array()) {
      for (const Json& element : *before) {
        if (element.is_object() && StringOr(element, "name", "") == tensor.name) {
          json = element;
        }
      }
    }
    json["name"] = tensor.name;
    json["data_type"] = ConfigNameOf(tensor.dtype);
    json["dims"] = tensor.dims;
    if (tensor.reshape) {
      json["reshape"] = {{"shape", *tensor.reshape}};
    }
    if (tensor.optional) {
      json["optional"] = true;
    }
    result.push_back(std::move(json));
  }
  return result;
}

const TensorConfig* FindByName(const std::vector<TensorConfig>& tensors, std::string_view name) {
  for (const TensorConfig& tensor : tensors) {
    if (tensor.name == name) {
      return &tensor;
    }
  }
  return nullptr;
}

Error BadParameter(std::string_view key, const std::string& text, const char* type) {
  return InvalidArgument("parameter '{}' has the value '{}', which is not {}", key, text, type);
}

}  // namespace

TRITONSERVER_DataType DataTypeFromConfigName(std::string_view name) {
  for (const DataTypeName& entry : kDataTypeNames) {
    if (name == entry.name) {
      return entry.dtype;
    }
  }
  return TRITONSERVER_TYPE_INVALID;
}

std::string ConfigNameOf(TRITONSERVER_DataType dtype) {
  for (const DataTypeName& entry : kDataTypeNames) {
    if (dtype == entry.dtype) {
      return entry.name;
    }
  }
  return "TYPE_INVALID";
}

Error ModelConfig::Read(TRITONBACKEND_Model* model, ModelConfig* config) {
  TRITONSERVER_Message* message = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelConfig(model, 1, &message));
  const char* base = nullptr;
  std::size_t byte_size = 0;
  Error error(TRITONSERVER_MessageSerializeToJson(message, &base, &byte_size));
  if (error.ok()) {
    error = Parse({base, byte_size}, config);
  }
  Error deleted(TRITONSERVER_MessageDelete(message));
  return error.ok() ? std::move(deleted) : std::move(error);
}

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
  HEADRACE_BACKEND_RETURN_IF_ERROR(SequenceConfig::Parse(json, &result.sequence));
  result.has_scheduling = root.contains("dynamic_batching") || root.contains("sequence_batching") ||
                          root.contains("ensemble_scheduling");
  result.default_model_filename = StringOr(root, "default_model_filename", "");
  result.cpu_accelerators = ReadAccelerators(root, "cpu_execution_accelerator");
  result.gpu_accelerators = ReadAccelerators(root, "gpu_execution_accelerator");
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadGroups(root, &result.instance_groups));
  for (const Json& library : At(root, {"model_operations", "op_library_filename"})) {
    result.op_libraries.push_back(library.is_string() ? library.get<std::string>() : "");
  }
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

std::int64_t ModelConfig::InstanceCount() const {
  std::int64_t count = 0;
  for (const InstanceGroupConfig& group : instance_groups) {
    count += group.count;
  }
  return std::max<std::int64_t>(1, count);
}

std::int64_t ModelConfig::InstanceCount(std::string_view kind) const {
  std::int64_t count = 0;
  for (const InstanceGroupConfig& group : instance_groups) {
    count += group.kind == kind ? group.count : 0;
  }
  return count;
}

const TensorConfig* ModelConfig::FindInput(std::string_view name) const {
  return FindByName(inputs, name);
}

const TensorConfig* ModelConfig::FindOutput(std::string_view name) const {
  return FindByName(outputs, name);
}

const std::string* ModelConfig::FindParameter(std::string_view key) const {
  const auto it = parameters_.find(key);
  return it == parameters_.end() ? nullptr : &it->second;
}

Error ModelConfig::GetParameter(std::string_view key, std::int64_t* value) const {
  const std::string* text = FindParameter(key);
  return text == nullptr || FromText(*text, value) ? Error()
                                                   : BadParameter(key, *text, "an integer");
}

Error ModelConfig::GetParameter(std::string_view key, double* value) const {
  const std::string* text = FindParameter(key);
  return text == nullptr || FromText(*text, value) ? Error() : BadParameter(key, *text, "a number");
}

Error ModelConfig::GetParameter(std::string_view key, bool* value) const {
  const std::string* text = FindParameter(key);
  if (text == nullptr) {
    return {};
  }
  if (*text == "true" || *text == "1") {
    *value = true;
  } else if (*text == "false" || *text == "0") {
    *value = false;
  } else {
    return BadParameter(key, *text, "true or false");
  }
  return {};
}

Error ModelConfig::GetParameter(std::string_view key, std::string* value) const {
  if (const std::string* text = FindParameter(key)) {
    *value = *text;
  }
  return {};
}

ModelConfig ModelConfig::WithParameters(
    std::map<std::string, std::string, std::less<>> parameters) const {
  ModelConfig config = *this;
  config.parameters_ = std::move(parameters);
  return config;
}

std::optional<std::string> ModelConfig::Text(std::string_view pointer) const {
  const Json root = Json::parse(json_, nullptr, /*allow_exceptions=*/false);
  const Json::json_pointer path{std::string(pointer)};
  if (!root.is_object() || !root.contains(path)) {
    return std::nullopt;
  }
  const Json& value = root.at(path);
  if (value.is_structured() || value.is_null()) {
    return std::nullopt;
  }
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string ModelConfig::ToJson(bool add_dynamic_batching) const {
  Json root = Json::parse(json_, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    root = Json::object();
  }
  root["max_batch_size"] = max_batch_size;
  root["input"] = WriteTensors(root, "input", inputs);
  root["output"] = WriteTensors(root, "output", outputs);
  if (add_dynamic_batching && !has_scheduling) {
    root["dynamic_batching"] = Json::object();
  }
  return root.dump();
}

Error ModelConfig::Propose(TRITONBACKEND_Model* model, bool add_dynamic_batching) const {
  const std::string json = ToJson(add_dynamic_batching);
  TRITONSERVER_Message* message = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      TRITONSERVER_MessageNewFromSerializedJson(&message, json.data(), json.size()));
  Error error(TRITONBACKEND_ModelSetConfig(model, 1, message));
  Error deleted(TRITONSERVER_MessageDelete(message));
  return error.ok() ? std::move(deleted) : std::move(error);
}

}  // namespace headrace::backend

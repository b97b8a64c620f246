#include "common/model_config.h"

#include <algorithm>
#include <charconv>
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

// The tensors as JSON; what this backend does not know of a tensor that was there before is kept.
Json WriteTensors(const Json& root, const char* field, const std::vector<TensorConfig>& tensors) {
  Json result = Json::array();
  for (const TensorConfig& tensor : tensors) {
    Json json = Json::object();
    if (const auto before = root.find(field); before != root.end() && before->is_array()) {
      for (const Json& element : *before) {
        if (element.is_object() && element.contains("name") && element["name"] == tensor.name) {
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

template <typename Config>
const Config* FindTarget(const std::vector<Config>& entries, std::string_view target) {
  for (const Config& entry : entries) {
    if (std::find(entry.targets.begin(), entry.targets.end(), target) != entry.targets.end()) {
      return &entry;
    }
  }
  return nullptr;
}

Error BadParameter(std::string_view key, const std::string& text, const char* type) {
  return InvalidArgument("parameter '{}' has the value '{}', which is not {}", key, text, type);
}

}  // namespace

std::vector<std::int64_t> TensorConfig::CallShape(bool batches) const {
  if (batches && allow_ragged_batch) {
    return {-1};
  }
  std::vector<std::int64_t> shape = backend_dims();
  if (batches && !of_batch) {
    shape.insert(shape.begin(), -1);
  }
  return shape;
}

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

const BatchInputConfig* ModelConfig::FindBatchInput(std::string_view target) const {
  return FindTarget(batch_inputs, target);
}

const BatchOutputConfig* ModelConfig::FindBatchOutput(std::string_view target) const {
  return FindTarget(batch_outputs, target);
}

std::vector<TensorConfig> ModelConfig::CallInputs() const {
  std::vector<TensorConfig> all = inputs;
  for (const BatchInputConfig& made : batch_inputs) {
    for (const std::string& target : made.targets) {
      TensorConfig& tensor = all.emplace_back();
      tensor.name = target;
      tensor.dtype = made.dtype;
      tensor.of_batch = true;
      tensor.dims.assign(made.kind == BatchInputConfig::Kind::kItemShape ? 2 : 1, -1);
    }
  }
  return all;
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

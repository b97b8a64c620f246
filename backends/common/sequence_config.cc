#include "common/sequence_config.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/model_config.h"

namespace headrace::backend {
namespace {

using Json = nlohmann::json;

std::string Text(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// The array at a key, or an empty one.
Json List(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && it != object.end() && it->is_array() ? *it : Json::array();
}

TRITONSERVER_DataType TypeOfControl(const Json& control) {
  if (!List(control, "int32_false_true").empty()) {
    return TRITONSERVER_TYPE_INT32;
  }
  if (!List(control, "fp32_false_true").empty()) {
    return TRITONSERVER_TYPE_FP32;
  }
  if (!List(control, "bool_false_true").empty()) {
    return TRITONSERVER_TYPE_BOOL;
  }
  return DataTypeFromConfigName(Text(control, "data_type"));
}

// Servers print 64-bit integers as numbers or, as protobuf does, as strings.
Error ReadDims(const Json& state, std::vector<std::int64_t>* dims) {
  for (const Json& dim : List(state, "dims")) {
    std::int64_t value = 0;
    if (dim.is_number_integer()) {
      value = dim.get<std::int64_t>();
    } else {
      const std::string text = dim.is_string() ? dim.get<std::string>() : "";
      const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (failure != std::errc() || stop != text.data() + text.size() || text.empty()) {
        return InvalidArgument("model configuration: a dimension of a state is not an integer");
      }
    }
    dims->push_back(value);
  }
  return {};
}

bool Contains(const std::vector<SequenceTensor>& tensors, std::string_view name) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [name](const SequenceTensor& tensor) { return tensor.name == name; });
}

}  // namespace

Error SequenceConfig::Parse(std::string_view json, SequenceConfig* config) {
  *config = {};
  const Json root = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  const auto sequence = root.is_object() ? root.find("sequence_batching") : root.end();
  if (!root.is_object() || sequence == root.end()) {
    return {};
  }
  for (const Json& input : List(*sequence, "control_input")) {
    for (const Json& control : List(input, "control")) {
      config->inputs.push_back({Text(input, "name"), TypeOfControl(control), {1}});
    }
  }
  for (const Json& state : List(*sequence, "state")) {
    SequenceTensor tensor{
        Text(state, "input_name"), DataTypeFromConfigName(Text(state, "data_type")), {}};
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadDims(state, &tensor.dims));
    config->inputs.push_back(tensor);
    tensor.name = Text(state, "output_name");
    config->state_outputs.push_back(std::move(tensor));
  }
  return {};
}

bool SequenceConfig::HasInput(std::string_view name) const { return Contains(inputs, name); }

bool SequenceConfig::HasStateOutput(std::string_view name) const {
  return Contains(state_outputs, name);
}

}  // namespace headrace::backend

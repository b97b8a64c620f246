// Entries of family "server_response".
#include <string>
#include <variant>

#include "plugin/server_request.h"

using headrace::InvalidArgument;
using headrace::plugin::Answer;
using headrace::plugin::ToTriton;

namespace {

TRITONSERVER_Error* IndexError(const char* what, std::uint32_t index, std::size_t count) {
  return ToTriton(
      InvalidArgument("out of bounds index {}: response has {} {}", index, count, what));
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONSERVER_InferenceResponseDelete(TRITONSERVER_InferenceResponse* response) {
  return Answer([&]() -> TRITONSERVER_Error* {
    delete response;
    return nullptr;
  });
}

// A new error for each call, which the caller deletes: as the stock server has it, whose published
// Python backend relies on it.
TRITONSERVER_Error* TRITONSERVER_InferenceResponseError(TRITONSERVER_InferenceResponse* response) {
  return ToTriton(response->error);
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseModel(TRITONSERVER_InferenceResponse* response,
                                                        const char** model_name,
                                                        int64_t* model_version) {
  *model_name = response->model->name().c_str();
  *model_version = response->model->version();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseId(TRITONSERVER_InferenceResponse* response,
                                                     const char** request_id) {
  *request_id = response->id.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseParameterCount(
    TRITONSERVER_InferenceResponse* response, uint32_t* count) {
  *count = static_cast<uint32_t>(response->parameters.size());
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseParameter(
    TRITONSERVER_InferenceResponse* response, const uint32_t index, const char** name,
    TRITONSERVER_ParameterType* type, const void** vvalue) {
  if (index >= response->parameters.size()) {
    return IndexError("parameters", index, response->parameters.size());
  }
  const headrace::Parameter& parameter = response->parameters[index];
  *name = parameter.name.c_str();
  if (const auto* text = std::get_if<std::string>(&parameter.value)) {
    *type = TRITONSERVER_PARAMETER_STRING;
    *vvalue = text->c_str();
  } else if (const auto* number = std::get_if<std::int64_t>(&parameter.value)) {
    *type = TRITONSERVER_PARAMETER_INT;
    *vvalue = number;
  } else if (const auto* truth = std::get_if<bool>(&parameter.value)) {
    *type = TRITONSERVER_PARAMETER_BOOL;
    *vvalue = truth;
  } else {
    *type = TRITONSERVER_PARAMETER_DOUBLE;
    *vvalue = std::get_if<double>(&parameter.value);
  }
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseOutputCount(
    TRITONSERVER_InferenceResponse* response, uint32_t* count) {
  *count = static_cast<uint32_t>(response->outputs.size());
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseOutput(TRITONSERVER_InferenceResponse* response,
                                                         const uint32_t index, const char** name,
                                                         TRITONSERVER_DataType* datatype,
                                                         const int64_t** shape, uint64_t* dim_count,
                                                         const void** base, size_t* byte_size,
                                                         TRITONSERVER_MemoryType* memory_type,
                                                         int64_t* memory_type_id, void** userp) {
  if (index >= response->outputs.size()) {
    return IndexError("outputs", index, response->outputs.size());
  }
  const headrace::NamedTensor& output = response->outputs[index];
  *name = output.name.c_str();
  *datatype = static_cast<TRITONSERVER_DataType>(output.tensor.dtype);
  *shape = output.tensor.shape.data();
  *dim_count = output.tensor.shape.rank();
  *base = output.tensor.data.data();
  *byte_size = output.tensor.data.size();
  const headrace::plugin::CallerMemory* const memory =
      headrace::plugin::FindCallerMemory(output.tensor.data);
  *memory_type = memory == nullptr ? TRITONSERVER_MEMORY_CPU : memory->memory_type;
  *memory_type_id = memory == nullptr ? 0 : memory->memory_type_id;
  *userp = memory == nullptr ? nullptr : memory->buffer_userp;
  return nullptr;
}

// Null where the configuration has no label for the class.
TRITONSERVER_Error* TRITONSERVER_InferenceResponseOutputClassificationLabel(
    TRITONSERVER_InferenceResponse* response, const uint32_t index, const size_t class_index,
    const char** label) {
  *label = nullptr;
  if (index >= response->outputs.size()) {
    return IndexError("outputs", index, response->outputs.size());
  }
  const headrace::engine::TensorSpec* const spec =
      response->model->signature().FindOutput(response->outputs[index].name);
  if (spec != nullptr && class_index < spec->labels.size()) {
    *label = spec->labels[class_index].c_str();
  }
  return nullptr;
}

}  // extern "C"

// Entries of family "input" and "request".
#include <string_view>

#include "plugin/request_handle.h"

using headrace::InvalidArgument;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

namespace {

constexpr const char* kReleased = "the request was released before";

TRITONSERVER_Error* IndexError(std::string_view what, std::uint32_t index, std::size_t count) {
  return ToTriton(InvalidArgument("out of bounds index {}: request has {} {}", index, count, what));
}

template <typename... Alternatives>
struct Overloaded : Alternatives... {
  using Alternatives::operator()...;
};

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_InputProperties(TRITONBACKEND_Input* input, const char** name,
                                                  TRITONSERVER_DataType* datatype,
                                                  const int64_t** shape, uint32_t* dims_count,
                                                  uint64_t* byte_size, uint32_t* buffer_count) {
  return TRITONBACKEND_InputPropertiesForHostPolicy(input, nullptr, name, datatype, shape,
                                                    dims_count, byte_size, buffer_count);
}

// Inputs lie in one kind of memory here, so that every host policy sees the same.
TRITONSERVER_Error* TRITONBACKEND_InputPropertiesForHostPolicy(
    TRITONBACKEND_Input* input, const char* /*host_policy_name*/, const char** name,
    TRITONSERVER_DataType* datatype, const int64_t** shape, uint32_t* dims_count,
    uint64_t* byte_size, uint32_t* buffer_count) {
  if (name != nullptr) {
    *name = input->tensor->name.c_str();
  }
  if (datatype != nullptr) {
    *datatype = static_cast<TRITONSERVER_DataType>(input->tensor->tensor.dtype);
  }
  if (shape != nullptr) {
    *shape = input->shape.data();
  }
  if (dims_count != nullptr) {
    *dims_count = static_cast<uint32_t>(input->shape.rank());
  }
  if (byte_size != nullptr) {
    *byte_size = input->byte_size;
  }
  if (buffer_count != nullptr) {
    *buffer_count = static_cast<uint32_t>(input->tensor->tensor.fragment_count());
  }
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_InputBuffer(TRITONBACKEND_Input* input, const uint32_t index,
                                              const void** buffer, uint64_t* buffer_byte_size,
                                              TRITONSERVER_MemoryType* memory_type,
                                              int64_t* memory_type_id) {
  return TRITONBACKEND_InputBufferForHostPolicy(input, nullptr, index, buffer, buffer_byte_size,
                                                memory_type, memory_type_id);
}

TRITONSERVER_Error* TRITONBACKEND_InputBufferForHostPolicy(
    TRITONBACKEND_Input* input, const char* /*host_policy_name*/, const uint32_t index,
    const void** buffer, uint64_t* buffer_byte_size, TRITONSERVER_MemoryType* memory_type,
    int64_t* memory_type_id) {
  const headrace::Tensor& tensor = input->tensor->tensor;
  if (index >= tensor.fragment_count()) {
    *buffer = nullptr;
    *buffer_byte_size = 0;
    return IndexError("buffers", index, tensor.fragment_count());
  }
  const headrace::Buffer& fragment = tensor.fragment(index);
  *buffer = fragment.data();
  *buffer_byte_size = fragment.size();
  // A page-locked block is ordinary memory with one more quality.
  const bool page_locked =
      tensor.memory_kind == headrace::MemoryKind::kCpu && fragment.page_locked();
  *memory_type = page_locked ? TRITONSERVER_MEMORY_CPU_PINNED
                             : static_cast<TRITONSERVER_MemoryType>(tensor.memory_kind);
  *memory_type_id = tensor.memory_id;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_InputBufferAttributes(
    TRITONBACKEND_Input* input, const uint32_t index, const void** buffer,
    TRITONSERVER_BufferAttributes** buffer_attributes) {
  std::uint64_t byte_size = 0;
  TRITONSERVER_Error* error =
      TRITONBACKEND_InputBuffer(input, index, buffer, &byte_size, &input->attributes.memory_type,
                                &input->attributes.memory_type_id);
  input->attributes.byte_size = byte_size;
  *buffer_attributes = &input->attributes;
  return error;
}

TRITONSERVER_Error* TRITONBACKEND_RequestId(TRITONBACKEND_Request* request, const char** id) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *id = request->request().id.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestIsCancelled(TRITONBACKEND_Request* request,
                                                     bool* is_cancelled) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *is_cancelled = request->request().Cancelled();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestCorrelationId(TRITONBACKEND_Request* request,
                                                       uint64_t* id) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  if (!request->request().correlation_id_text.empty()) {
    return RefuseCall("correlation ID in request is not an unsigned int");
  }
  *id = request->request().correlation_id;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestCorrelationIdString(TRITONBACKEND_Request* request,
                                                             const char** id) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  if (request->request().correlation_id != 0) {
    return RefuseCall("correlation ID in request is not a string");
  }
  *id = request->request().correlation_id_text.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestFlags(TRITONBACKEND_Request* request, uint32_t* flags) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *flags = request->request().sequence_flags;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_InferenceRequestTimeoutMicroseconds(
    TRITONBACKEND_Request* request, uint64_t* timeout) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *timeout = request->request().timeout_us;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestParameterCount(TRITONBACKEND_Request* request,
                                                        uint32_t* count) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *count = static_cast<uint32_t>(request->request().parameters.size());
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestParameter(TRITONBACKEND_Request* request,
                                                   const uint32_t index, const char** key,
                                                   TRITONSERVER_ParameterType* type,
                                                   const void** vvalue) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  const auto& parameters = request->request().parameters;
  if (index >= parameters.size()) {
    return IndexError("parameters", index, parameters.size());
  }
  *key = parameters[index].name.c_str();
  std::visit(Overloaded{[&](const std::string& value) {
                          *type = TRITONSERVER_PARAMETER_STRING;
                          *vvalue = value.c_str();
                        },
                        [&](const std::int64_t& value) {
                          *type = TRITONSERVER_PARAMETER_INT;
                          *vvalue = &value;
                        },
                        [&](const bool& value) {
                          *type = TRITONSERVER_PARAMETER_BOOL;
                          *vvalue = &value;
                        },
                        [&](const double& value) {
                          *type = TRITONSERVER_PARAMETER_DOUBLE;
                          *vvalue = &value;
                        }},
             parameters[index].value);
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestInputCount(TRITONBACKEND_Request* request,
                                                    uint32_t* count) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *count = static_cast<uint32_t>(request->inputs().size());
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestInputName(TRITONBACKEND_Request* request,
                                                   const uint32_t index, const char** input_name) {
  TRITONBACKEND_Input* input = nullptr;
  TRITONSERVER_Error* error = TRITONBACKEND_RequestInputByIndex(request, index, &input);
  *input_name = error == nullptr ? input->tensor->name.c_str() : nullptr;
  return error;
}

TRITONSERVER_Error* TRITONBACKEND_RequestInput(TRITONBACKEND_Request* request, const char* name,
                                               TRITONBACKEND_Input** input) {
  *input = nullptr;
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  for (TRITONBACKEND_Input& candidate : request->inputs()) {
    if (candidate.tensor->name == name) {
      *input = &candidate;
      return nullptr;
    }
  }
  return Answer([&] { return ToTriton(InvalidArgument("unknown request input name {}", name)); });
}

TRITONSERVER_Error* TRITONBACKEND_RequestInputByIndex(TRITONBACKEND_Request* request,
                                                      const uint32_t index,
                                                      TRITONBACKEND_Input** input) {
  *input = nullptr;
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  if (index >= request->inputs().size()) {
    return IndexError("inputs", index, request->inputs().size());
  }
  *input = &request->inputs()[index];
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestOutputCount(TRITONBACKEND_Request* request,
                                                     uint32_t* count) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *count = request->wanted_output_count();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestOutputName(TRITONBACKEND_Request* request,
                                                    const uint32_t index,
                                                    const char** output_name) {
  *output_name = nullptr;
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  if (index >= request->wanted_output_count()) {
    return IndexError("requested outputs", index, request->wanted_output_count());
  }
  *output_name = request->wanted_output(index).c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestOutputBufferProperties(
    TRITONBACKEND_Request* request, const char* /*name*/, size_t* /*byte_size*/,
    TRITONSERVER_MemoryType* memory_type, int64_t* memory_type_id) {
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  *memory_type = TRITONSERVER_MEMORY_CPU;
  *memory_type_id = 0;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_RequestRelease(TRITONBACKEND_Request* request,
                                                 uint32_t release_flags) {
  if ((release_flags & TRITONSERVER_REQUEST_RELEASE_RESCHEDULE) != 0) {
    return Answer([&] { return ToTriton(request->Reschedule()); });
  }
  if ((release_flags & TRITONSERVER_REQUEST_RELEASE_ALL) == 0) {
    return RefuseCall("a release without the flag that says what is released");
  }
  return Answer([&] { return ToTriton(request->Release()); });
}

// Null for a request that is not traced.
TRITONSERVER_Error* TRITONBACKEND_RequestTrace(TRITONBACKEND_Request* request,
                                               TRITONSERVER_InferenceTrace** trace) {
  *trace = nullptr;
  if (!request->held()) {
    return RefuseCall(kReleased);
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    *trace = request->trace_handle();
    return nullptr;
  });
}

}  // extern "C"

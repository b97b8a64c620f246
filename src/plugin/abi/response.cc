// Entries of family "response", "response_factory", "output", "state".
#include <span>
#include <variant>

#include "plugin/request_handle.h"

using headrace::DataType;
using headrace::Shape;
using headrace::plugin::Answer;
using headrace::plugin::FromTriton;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

namespace {

constexpr const char* kSent = "the response was sent or deleted before";

template <typename T>
TRITONSERVER_Error* Give(headrace::Result<T*> result, T** out) {
  *out = result.ok() ? *result : nullptr;
  return ToTriton(result.status());
}

template <typename T>
TRITONSERVER_Error* SetParameter(TRITONBACKEND_Response* response, const char* name, T value) {
  if (response->request == nullptr) {
    return RefuseCall(kSent);
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    response->parameters.push_back({name, std::move(value)});
    return nullptr;
  });
}

TRITONSERVER_Error* DescribeOutput(const TRITONBACKEND_Output& output,
                                   TRITONSERVER_DataType* datatype, const int64_t** shape,
                                   uint64_t* dim_count) {
  *datatype = static_cast<TRITONSERVER_DataType>(output.dtype);
  *shape = output.shape.data();
  *dim_count = output.shape.rank();
  return nullptr;
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_ResponseNew(TRITONBACKEND_Response** response,
                                              TRITONBACKEND_Request* request) {
  return Answer([&] { return Give(request->NewResponse(/*from_factory=*/false), response); });
}

TRITONSERVER_Error* TRITONBACKEND_ResponseNewFromFactory(TRITONBACKEND_Response** response,
                                                         TRITONBACKEND_ResponseFactory* factory) {
  return Answer(
      [&] { return Give(factory->request->NewResponse(/*from_factory=*/true), response); });
}

TRITONSERVER_Error* TRITONBACKEND_ResponseDelete(TRITONBACKEND_Response* response) {
  return Answer([&] { return ToTriton(TRITONBACKEND_Request::Delete(response)); });
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSend(TRITONBACKEND_Response* response,
                                               const uint32_t send_flags,
                                               TRITONSERVER_Error* error) {
  return Answer([&] {
    const bool final = (send_flags & TRITONSERVER_RESPONSE_COMPLETE_FINAL) != 0;
    return ToTriton(TRITONBACKEND_Request::Send(response, final, FromTriton(error)));
  });
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSetStringParameter(TRITONBACKEND_Response* response,
                                                             const char* name, const char* value) {
  return SetParameter(response, name, std::string(value));
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSetIntParameter(TRITONBACKEND_Response* response,
                                                          const char* name, const int64_t value) {
  return SetParameter(response, name, std::int64_t{value});
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSetBoolParameter(TRITONBACKEND_Response* response,
                                                           const char* name, const bool value) {
  return SetParameter(response, name, value);
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSetDoubleParameter(TRITONBACKEND_Response* response,
                                                             const char* name, const double value) {
  return SetParameter(response, name, value);
}

TRITONSERVER_Error* TRITONBACKEND_ResponseOutput(TRITONBACKEND_Response* response,
                                                 TRITONBACKEND_Output** output, const char* name,
                                                 const TRITONSERVER_DataType datatype,
                                                 const int64_t* shape, const uint32_t dims_count) {
  *output = nullptr;
  if (dims_count > Shape::kRankMax) {
    return RefuseCall("an output with more dimensions than this server allows");
  }
  return Answer([&] {
    return Give(TRITONBACKEND_Request::AddOutput(response, name, static_cast<DataType>(datatype),
                                                 Shape(std::span(shape, dims_count))),
                output);
  });
}

TRITONSERVER_Error* TRITONBACKEND_InferenceResponseOutput(TRITONBACKEND_Response* response,
                                                          const uint32_t index, const char** name,
                                                          TRITONSERVER_DataType* datatype,
                                                          const int64_t** shape,
                                                          uint64_t* dim_count) {
  if (response->request == nullptr || index >= response->output_count) {
    return RefuseCall("the response has no output of that index");
  }
  *name = response->outputs[index].name.c_str();
  return DescribeOutput(response->outputs[index], datatype, shape, dim_count);
}

TRITONSERVER_Error* TRITONBACKEND_InferenceResponseOutputByName(TRITONBACKEND_Response* response,
                                                                const char* name,
                                                                TRITONSERVER_DataType* datatype,
                                                                const int64_t** shape,
                                                                uint64_t* dim_count) {
  const std::size_t count = response->request == nullptr ? 0 : response->output_count;
  for (std::size_t i = 0; i < count; ++i) {
    if (response->outputs[i].name == name) {
      return DescribeOutput(response->outputs[i], datatype, shape, dim_count);
    }
  }
  return RefuseCall("the response has no output of that name");
}

TRITONSERVER_Error* TRITONBACKEND_OutputBuffer(TRITONBACKEND_Output* output, void** buffer,
                                               const uint64_t buffer_byte_size,
                                               TRITONSERVER_MemoryType* memory_type,
                                               int64_t* memory_type_id) {
  *buffer = nullptr;
  return Answer([&]() -> TRITONSERVER_Error* {
    auto memory = TRITONBACKEND_Request::AllocateOutput(output, buffer_byte_size);
    if (!memory.ok()) {
      return ToTriton(memory.status());
    }
    *buffer = *memory;
    // Whatever was preferred: responses are built in host memory, page-locked where there is a GPU.
    *memory_type = output->attributes.memory_type;
    *memory_type_id = 0;
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONBACKEND_OutputBufferAttributes(
    TRITONBACKEND_Output* output, TRITONSERVER_BufferAttributes** buffer_attributes) {
  *buffer_attributes = &output->attributes;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ResponseFactoryNew(TRITONBACKEND_ResponseFactory** factory,
                                                     TRITONBACKEND_Request* request) {
  return Answer([&] { return Give(request->NewFactory(), factory); });
}

TRITONSERVER_Error* TRITONBACKEND_ResponseFactoryDelete(TRITONBACKEND_ResponseFactory* factory) {
  return Answer([&]() -> TRITONSERVER_Error* {
    TRITONBACKEND_Request::Delete(factory);
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONBACKEND_ResponseFactorySendFlags(TRITONBACKEND_ResponseFactory* factory,
                                                           const uint32_t send_flags) {
  if ((send_flags & TRITONSERVER_RESPONSE_COMPLETE_FINAL) == 0) {
    return nullptr;
  }
  return Answer([&] { return ToTriton(factory->request->FinishByFactory()); });
}

TRITONSERVER_Error* TRITONBACKEND_ResponseFactoryIsCancelled(TRITONBACKEND_ResponseFactory* factory,
                                                             bool* is_cancelled) {
  *is_cancelled = factory->request->request().Cancelled();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_StateNew(TRITONBACKEND_State** state,
                                           TRITONBACKEND_Request* request, const char* name,
                                           const TRITONSERVER_DataType datatype,
                                           const int64_t* shape, const uint32_t dims_count) {
  *state = nullptr;
  if (dims_count > Shape::kRankMax) {
    return RefuseCall("a state with more dimensions than this server allows");
  }
  return Answer([&] {
    return Give(request->NewState(name, static_cast<DataType>(datatype),
                                  Shape(std::span(shape, dims_count))),
                state);
  });
}

TRITONSERVER_Error* TRITONBACKEND_StateUpdate(TRITONBACKEND_State* state) {
  return Answer([&] { return ToTriton(TRITONBACKEND_Request::UpdateState(state)); });
}

TRITONSERVER_Error* TRITONBACKEND_StateBuffer(TRITONBACKEND_State* state, void** buffer,
                                              const uint64_t buffer_byte_size,
                                              TRITONSERVER_MemoryType* memory_type,
                                              int64_t* memory_type_id) {
  *buffer = nullptr;
  return Answer([&]() -> TRITONSERVER_Error* {
    auto memory = TRITONBACKEND_Request::AllocateState(state, buffer_byte_size);
    if (!memory.ok()) {
      return ToTriton(memory.status());
    }
    *buffer = *memory;
    // Whatever was preferred: states are kept in host memory.
    *memory_type = TRITONSERVER_MEMORY_CPU;
    *memory_type_id = 0;
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONBACKEND_StateBufferAttributes(
    TRITONBACKEND_State* state, TRITONSERVER_BufferAttributes** attributes) {
  *attributes = &state->attributes;
  return nullptr;
}

}  // extern "C"

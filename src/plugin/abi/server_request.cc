// Entries of family "server_request".
#include "plugin/server_request.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "plugin/server_handle.h"

using headrace::DataType;
using headrace::InvalidArgument;
using headrace::MemoryKind;
using headrace::Shape;
using headrace::Unavailable;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

namespace {

using Request = TRITONSERVER_InferenceRequest;

template <typename T>
TRITONSERVER_Error* SetParameter(Request* request, const char* key, T value) {
  return Answer([&]() -> TRITONSERVER_Error* {
    request->parameters.push_back({key, std::move(value)});
    return nullptr;
  });
}

TRITONSERVER_Error* AddInput(Request* request, Request::Input input) {
  if (request->FindInput(input.name.c_str()) != nullptr) {
    return ToTriton(InvalidArgument("input '{}' already exists in request for model '{}'",
                                    input.name, request->model->name()));
  }
  request->inputs.push_back(std::move(input));
  return nullptr;
}

TRITONSERVER_Error* NoInput(const Request* request, const char* name) {
  return ToTriton(InvalidArgument("input '{}' does not exist in request for model '{}'", name,
                                  request->model->name()));
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONSERVER_InferenceRequestNew(Request** request, TRITONSERVER_Server* server,
                                                     const char* model_name,
                                                     const int64_t model_version) {
  *request = nullptr;
  if (server->control == nullptr) {
    return ToTriton(Unavailable("this host serves no models to requests made in-process"));
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    auto model = server->control->registry().Load()->Lookup(
        model_name, headrace::plugin::VersionOf(model_version));
    if (!model.ok()) {
      return ToTriton(model.status());
    }
    auto made = std::make_unique<Request>();
    made->model = *std::move(model);
    *request = made.release();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestDelete(Request* request) {
  return Answer([&]() -> TRITONSERVER_Error* {
    delete request;
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestId(Request* request, const char** id) {
  *id = request->id.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetId(Request* request, const char* id) {
  return Answer([&]() -> TRITONSERVER_Error* {
    request->id = id;
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestFlags(Request* request, uint32_t* flags) {
  *flags = request->flags;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetFlags(Request* request, uint32_t flags) {
  request->flags = flags;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestCorrelationId(Request* request,
                                                               uint64_t* correlation_id) {
  if (!request->correlation_id_text.empty()) {
    return RefuseCall("given request's correlation id is not an unsigned int");
  }
  *correlation_id = request->correlation_id;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestCorrelationIdString(Request* request,
                                                                     const char** correlation_id) {
  if (request->correlation_id_text.empty()) {
    return RefuseCall("given request's correlation id is not a string");
  }
  *correlation_id = request->correlation_id_text.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetCorrelationId(Request* request,
                                                                  uint64_t correlation_id) {
  request->correlation_id = correlation_id;
  request->correlation_id_text.clear();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetCorrelationIdString(
    Request* request, const char* correlation_id) {
  constexpr std::size_t kByteSizeMax = 128;
  return Answer([&]() -> TRITONSERVER_Error* {
    const std::string_view text(correlation_id);
    if (text.size() > kByteSizeMax) {
      return ToTriton(
          InvalidArgument("string correlation ID cannot be longer than {} characters, it has {}",
                          kByteSizeMax, text.size()));
    }
    request->correlation_id = 0;
    request->correlation_id_text = text;
    return nullptr;
  });
}

// Takes effect where the request is looked at next: in the queue, or where its backend asks.
TRITONSERVER_Error* TRITONSERVER_InferenceRequestCancel(Request* request) {
  request->cancelled->store(true, std::memory_order_relaxed);
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestIsCancelled(Request* request, bool* is_cancelled) {
  *is_cancelled = request->cancelled->load(std::memory_order_relaxed);
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestPriority(Request* request, uint32_t* priority) {
  *priority = static_cast<uint32_t>(std::min<uint64_t>(request->priority, UINT32_MAX));
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestPriorityUInt64(Request* request,
                                                                uint64_t* priority) {
  *priority = request->priority;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetPriority(Request* request, uint32_t priority) {
  request->priority = priority;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetPriorityUInt64(Request* request,
                                                                   uint64_t priority) {
  request->priority = priority;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestTimeoutMicroseconds(Request* request,
                                                                     uint64_t* timeout_us) {
  *timeout_us = request->timeout_us;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetTimeoutMicroseconds(Request* request,
                                                                        uint64_t timeout_us) {
  request->timeout_us = timeout_us;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestAddInput(Request* request, const char* name,
                                                          const TRITONSERVER_DataType datatype,
                                                          const int64_t* shape,
                                                          uint64_t dim_count) {
  if (dim_count > Shape::kRankMax) {
    return RefuseCall("an input with more dimensions than this server allows");
  }
  return Answer([&] {
    return AddInput(request, {.name = name,
                              .dtype = static_cast<DataType>(datatype),
                              .shape = Shape(std::span(shape, dim_count))});
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestAddRawInput(Request* request, const char* name) {
  return Answer([&] {
    if (!request->inputs.empty()) {
      return RefuseCall("raw input can't be added to request with other inputs");
    }
    return AddInput(request, {.name = name, .raw = true});
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestRemoveInput(Request* request, const char* name) {
  return Answer([&] {
    return std::erase_if(request->inputs,
                         [&](const Request::Input& input) { return input.name == name; }) > 0
               ? nullptr
               : NoInput(request, name);
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestRemoveAllInputs(Request* request) {
  request->inputs.clear();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestAppendInputData(
    Request* request, const char* name, const void* base, size_t byte_size,
    TRITONSERVER_MemoryType memory_type, int64_t memory_type_id) {
  return Answer([&]() -> TRITONSERVER_Error* {
    Request::Input* const input = request->FindInput(name);
    if (input == nullptr) {
      return NoInput(request, name);
    }
    if (memory_type < TRITONSERVER_MEMORY_CPU || memory_type > TRITONSERVER_MEMORY_GPU) {
      return RefuseCall("there is no such memory type");
    }
    input->pieces.push_back(
        {base, byte_size, static_cast<MemoryKind>(memory_type), memory_type_id});
    return nullptr;
  });
}

// Host memory is the same for every policy: the data counts for all of them.
TRITONSERVER_Error* TRITONSERVER_InferenceRequestAppendInputDataWithHostPolicy(
    Request* request, const char* name, const void* base, size_t byte_size,
    TRITONSERVER_MemoryType memory_type, int64_t memory_type_id, const char* /*host_policy_name*/) {
  return TRITONSERVER_InferenceRequestAppendInputData(request, name, base, byte_size, memory_type,
                                                      memory_type_id);
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestAppendInputDataWithBufferAttributes(
    Request* request, const char* name, const void* base,
    TRITONSERVER_BufferAttributes* attributes) {
  return TRITONSERVER_InferenceRequestAppendInputData(request, name, base, attributes->byte_size,
                                                      attributes->memory_type,
                                                      attributes->memory_type_id);
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestRemoveAllInputData(Request* request,
                                                                    const char* name) {
  return Answer([&]() -> TRITONSERVER_Error* {
    Request::Input* const input = request->FindInput(name);
    if (input == nullptr) {
      return NoInput(request, name);
    }
    input->pieces.clear();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestAddRequestedOutput(Request* request,
                                                                    const char* name) {
  return Answer([&]() -> TRITONSERVER_Error* {
    std::vector<std::string>& wanted = request->wanted_outputs;
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
      wanted.emplace_back(name);
    }
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestRemoveRequestedOutput(Request* request,
                                                                       const char* name) {
  return Answer([&]() -> TRITONSERVER_Error* {
    std::erase(request->wanted_outputs, name);
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestRemoveAllRequestedOutputs(Request* request) {
  request->wanted_outputs.clear();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetReleaseCallback(
    Request* request, TRITONSERVER_InferenceRequestReleaseFn_t request_release_fn,
    void* request_release_userp) {
  request->release = request_release_fn;
  request->release_userp = request_release_userp;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetResponseCallback(
    Request* request, TRITONSERVER_ResponseAllocator* response_allocator,
    void* response_allocator_userp, TRITONSERVER_InferenceResponseCompleteFn_t response_fn,
    void* response_userp) {
  request->allocator = response_allocator;
  request->allocator_userp = response_allocator_userp;
  request->respond = response_fn;
  request->respond_userp = response_userp;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetStringParameter(Request* request,
                                                                    const char* key,
                                                                    const char* value) {
  return SetParameter(request, key, std::string(value));
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetIntParameter(Request* request, const char* key,
                                                                 const int64_t value) {
  return SetParameter(request, key, std::int64_t{value});
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetBoolParameter(Request* request, const char* key,
                                                                  const bool value) {
  return SetParameter(request, key, value);
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetDoubleParameter(Request* request,
                                                                    const char* key,
                                                                    const double value) {
  return SetParameter(request, key, value);
}

}  // extern "C"

// libtriton_faulty.so: a backend that breaks the rules of the interface on demand, to test the
// host.
//
// The request parameter "fault" of the first request of a batch says which rule; without one, every
// request gets OUTPUT0 = the bytes of its first input. The model configuration's text says what
// goes wrong earlier: "init_error", "init_throw", "instance_error", "propose_config".
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "triton_abi.h"

namespace {

using Requests = std::vector<TRITONBACKEND_Request*>;

TRITONSERVER_Error* Fail(const char* text) {
  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, text);
}

// Drops an error: what the host makes of a call that should have been refused shows elsewhere.
bool Refused(TRITONSERVER_Error* error) {
  const bool refused = error != nullptr;
  TRITONSERVER_ErrorDelete(error);
  return refused;
}

// Ends the process: the test asserts that the host refuses.
void MustBeRefused(TRITONSERVER_Error* error, const char* what) {
  if (!Refused(error)) {
    TRITONSERVER_ErrorDelete(
        TRITONSERVER_LogMessage(TRITONSERVER_LOG_ERROR, __FILE__, __LINE__, what));
    std::abort();
  }
}

void Must(TRITONSERVER_Error* error) {
  if (error != nullptr) {
    throw std::runtime_error(TRITONSERVER_ErrorMessage(error));
  }
}

struct InputBytes {
  const char* name = nullptr;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  const std::int64_t* shape = nullptr;
  std::uint32_t rank = 0;
  std::string bytes;
};

InputBytes ReadInput(TRITONBACKEND_Request* request) {
  InputBytes result;
  TRITONBACKEND_Input* input = nullptr;
  std::uint64_t byte_size = 0;
  std::uint32_t buffer_count = 0;
  Must(TRITONBACKEND_RequestInputByIndex(request, 0, &input));
  Must(TRITONBACKEND_InputProperties(input, &result.name, &result.dtype, &result.shape,
                                     &result.rank, &byte_size, &buffer_count));
  for (std::uint32_t i = 0; i < buffer_count; ++i) {
    const void* base = nullptr;
    std::uint64_t size = 0;
    TRITONSERVER_MemoryType memory;
    std::int64_t memory_id = 0;
    Must(TRITONBACKEND_InputBuffer(input, i, &base, &size, &memory, &memory_id));
    result.bytes.append(static_cast<const char*>(base), size);
  }
  return result;
}

TRITONBACKEND_Response* MakeResponse(TRITONBACKEND_Request* request) {
  const InputBytes input = ReadInput(request);
  TRITONBACKEND_Response* response = nullptr;
  TRITONBACKEND_Output* output = nullptr;
  void* buffer = nullptr;
  TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
  std::int64_t memory_id = 0;
  Must(TRITONBACKEND_ResponseNew(&response, request));
  Must(TRITONBACKEND_ResponseOutput(response, &output, "OUTPUT0", input.dtype, input.shape,
                                    input.rank));
  Must(TRITONBACKEND_OutputBuffer(output, &buffer, input.bytes.size(), &memory, &memory_id));
  std::memcpy(buffer, input.bytes.data(), input.bytes.size());
  return response;
}

void Send(TRITONBACKEND_Response* response) {
  Must(TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, nullptr));
}

TRITONSERVER_Error* ReleaseAll(TRITONBACKEND_Request* request) {
  return TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_ALL);
}

void AnswerAndRelease(TRITONBACKEND_Request* request) {
  Send(MakeResponse(request));
  Must(ReleaseAll(request));
}

std::string FaultOf(TRITONBACKEND_Request* request) {
  std::uint32_t count = 0;
  Must(TRITONBACKEND_RequestParameterCount(request, &count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const char* key = nullptr;
    TRITONSERVER_ParameterType type;
    const void* value = nullptr;
    Must(TRITONBACKEND_RequestParameter(request, i, &key, &type, &value));
    if (std::string_view(key) == "fault" && type == TRITONSERVER_PARAMETER_STRING) {
      return static_cast<const char*>(value);
    }
  }
  return "";
}

// Adds an output of 4 FP32 elements and asks for `byte_size` bytes.
bool OutputRefused(TRITONBACKEND_Response* response, const char* name, std::uint64_t byte_size) {
  const std::int64_t shape[] = {4};
  TRITONBACKEND_Output* output = nullptr;
  if (Refused(TRITONBACKEND_ResponseOutput(response, &output, name, TRITONSERVER_TYPE_FP32, shape,
                                           1))) {
    return true;
  }
  void* buffer = nullptr;
  TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
  std::int64_t memory_id = 0;
  return Refused(TRITONBACKEND_OutputBuffer(output, &buffer, byte_size, &memory, &memory_id));
}

// Sends a response although one of its outputs was refused.
void SendBroken(TRITONBACKEND_Request* request, std::uint64_t byte_size) {
  TRITONBACKEND_Response* response = nullptr;
  Must(TRITONBACKEND_ResponseNew(&response, request));
  if (!OutputRefused(response, "OUTPUT0", byte_size)) {
    std::abort();
  }
  Send(response);
  Must(ReleaseAll(request));
}

void Stream(TRITONBACKEND_Request* request) {
  TRITONBACKEND_ResponseFactory* factory = nullptr;
  Must(TRITONBACKEND_ResponseFactoryNew(&factory, request));
  Must(ReleaseAll(request));
  for (int i = 0; i < 20; ++i) {
    TRITONBACKEND_Response* response = nullptr;
    Must(TRITONBACKEND_ResponseNewFromFactory(&response, factory));
    Must(TRITONBACKEND_ResponseSetIntParameter(response, "index", i));
    Must(TRITONBACKEND_ResponseSend(response, 0, nullptr));
  }
  Must(TRITONBACKEND_ResponseFactorySendFlags(factory, TRITONSERVER_RESPONSE_COMPLETE_FINAL));
  TRITONBACKEND_Response* late = nullptr;
  MustBeRefused(TRITONBACKEND_ResponseNewFromFactory(&late, factory), "a response after the end");
  Must(TRITONBACKEND_ResponseFactoryDelete(factory));
}

void SendTwice(TRITONBACKEND_Request* request) {
  TRITONBACKEND_Response* const response = MakeResponse(request);
  TRITONBACKEND_Response* const other = MakeResponse(request);
  Send(response);
  MustBeRefused(TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, nullptr),
                "the same response twice");
  MustBeRefused(TRITONBACKEND_ResponseSend(other, TRITONSERVER_RESPONSE_COMPLETE_FINAL, nullptr),
                "a response after the final one");
  Must(ReleaseAll(request));
}

void UseAfterRelease(TRITONBACKEND_Request* request) {
  AnswerAndRelease(request);
  MustBeRefused(ReleaseAll(request), "a second release");
  const char* text = nullptr;
  std::uint32_t count = 0;
  TRITONBACKEND_Response* response = nullptr;
  TRITONBACKEND_ResponseFactory* factory = nullptr;
  MustBeRefused(TRITONBACKEND_RequestId(request, &text), "id after release");
  MustBeRefused(TRITONBACKEND_RequestInputCount(request, &count), "inputs after release");
  MustBeRefused(TRITONBACKEND_ResponseNew(&response, request), "response after release");
  MustBeRefused(TRITONBACKEND_ResponseFactoryNew(&factory, request), "factory after release");
}

void SendError(TRITONBACKEND_Request* request, const char* text) {
  TRITONBACKEND_Response* response = nullptr;
  Must(TRITONBACKEND_ResponseNew(&response, request));
  TRITONSERVER_Error* const error = Fail(text);
  Must(TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error));
  TRITONSERVER_ErrorDelete(error);
}

// Statistics of a response, incomplete ones first.
void ReportResponse(TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request* request) {
  TRITONBACKEND_ResponseFactory* factory = nullptr;
  TRITONBACKEND_ModelInstanceResponseStatistics* statistics = nullptr;
  Must(TRITONBACKEND_ResponseFactoryNew(&factory, request));
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsNew(&statistics));
  const auto must_be_refused = [&](const char* what) {
    MustBeRefused(TRITONBACKEND_ModelInstanceReportResponseStatistics(statistics), what);
  };
  must_be_refused("statistics of nothing");
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsSetModelInstance(statistics, instance));
  must_be_refused("statistics without a factory");
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseFactory(statistics, factory));
  must_be_refused("statistics without times");
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseStart(statistics, 100));
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseEnd(statistics, 99));
  must_be_refused("a response that ended before it started");
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsSetComputeOutputStart(statistics, 130));
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseEnd(statistics, 150));
  Must(TRITONBACKEND_ModelInstanceReportResponseStatistics(statistics));
  TRITONSERVER_Error* error = Fail("as an example");
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsSetError(statistics, error));
  TRITONSERVER_ErrorDelete(error);
  Must(TRITONBACKEND_ModelInstanceReportResponseStatistics(statistics));
  Must(TRITONBACKEND_ModelInstanceResponseStatisticsDelete(statistics));
  Must(TRITONBACKEND_ResponseFactoryDelete(factory));
  AnswerAndRelease(request);
}

// What a batch whose first request names a fault comes to.
TRITONSERVER_Error* Misbehave(TRITONBACKEND_ModelInstance* instance, const std::string& fault,
                              const Requests& requests) {
  TRITONBACKEND_Request* const first = requests[0];
  if (fault == "error") {
    return Fail("the model is broken");
  }
  if (fault == "throw") {
    throw std::runtime_error("thrown by the model");
  }
  if (fault == "throw_int") {
    throw 42;
  }
  if (fault == "error_after_one_answer") {
    AnswerAndRelease(first);
    return Fail("broken after the first answer");
  }
  if (fault == "send_twice") {
    SendTwice(first);
  } else if (fault == "use_after_release") {
    UseAfterRelease(first);
  } else if (fault == "never_send") {
    Must(ReleaseAll(first));
  } else if (fault == "never_release") {
    Send(MakeResponse(first));
  } else if (fault == "delete_response") {
    Must(TRITONBACKEND_ResponseDelete(MakeResponse(first)));
    Must(ReleaseAll(first));
  } else if (fault == "wrong_size") {
    SendBroken(first, 12);
  } else if (fault == "huge") {
    SendBroken(first, std::uint64_t{1} << 63);
  } else if (fault == "no_buffer") {
    TRITONBACKEND_Response* response = nullptr;
    TRITONBACKEND_Output* output = nullptr;
    const std::int64_t shape[] = {4};
    Must(TRITONBACKEND_ResponseNew(&response, first));
    Must(TRITONBACKEND_ResponseOutput(response, &output, "OUTPUT0", TRITONSERVER_TYPE_FP32, shape,
                                      1));
    Send(response);
    Must(ReleaseAll(first));
  } else if (fault == "reschedule") {
    MustBeRefused(TRITONBACKEND_RequestRelease(first, TRITONSERVER_REQUEST_RELEASE_RESCHEDULE),
                  "reschedule");
    AnswerAndRelease(first);
  } else if (fault == "error_to_each") {
    for (TRITONBACKEND_Request* request : requests) {
      SendError(request, "it does not compute");
      TRITONBACKEND_Response* late = nullptr;
      MustBeRefused(TRITONBACKEND_ResponseNew(&late, request), "a response after the error");
      Must(ReleaseAll(request));
    }
  } else if (fault == "error_and_keep") {
    for (TRITONBACKEND_Request* request : requests) {
      SendError(request, "it does not compute");
    }
  } else if (fault == "error_to_one") {
    SendError(first, "it does not compute");
    Must(ReleaseAll(first));
    for (std::size_t i = 1; i < requests.size(); ++i) {
      AnswerAndRelease(requests[i]);
    }
  } else if (fault == "report_response") {
    ReportResponse(instance, first);
  } else if (fault == "stream") {
    Stream(first);
  } else {
    return Fail("no such fault");
  }
  return nullptr;
}

bool ConfigHas(TRITONBACKEND_Model* model, std::string_view word) {
  TRITONSERVER_Message* message = nullptr;
  const char* base = nullptr;
  std::size_t size = 0;
  Must(TRITONBACKEND_ModelConfig(model, 1, &message));
  Must(TRITONSERVER_MessageSerializeToJson(message, &base, &size));
  const bool found = std::string_view(base, size).find(word) != std::string_view::npos;
  Must(TRITONSERVER_MessageDelete(message));
  return found;
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_GetBackendAttribute(TRITONBACKEND_Backend*,
                                                      TRITONBACKEND_BackendAttribute* attributes) {
  return TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading(attributes, true);
}

TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* model) {
  if (ConfigHas(model, "init_error")) {
    return Fail("the model file is damaged");
  }
  if (ConfigHas(model, "init_throw")) {
    throw std::runtime_error("thrown while loading");
  }
  if (ConfigHas(model, "propose_config")) {
    constexpr std::string_view kProposed = R"({"max_batch_size":8})";
    TRITONSERVER_Message* message = nullptr;
    Must(TRITONSERVER_MessageNewFromSerializedJson(&message, kProposed.data(), kProposed.size()));
    TRITONSERVER_ErrorDelete(TRITONBACKEND_ModelSetConfig(model, 1, message));
    Must(TRITONSERVER_MessageDelete(message));
  }
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceInitialize(TRITONBACKEND_ModelInstance* instance) {
  TRITONBACKEND_Model* model = nullptr;
  Must(TRITONBACKEND_ModelInstanceModel(instance, &model));
  return ConfigHas(model, "instance_error") ? Fail("no memory for an instance") : nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReady(TRITONBACKEND_ModelInstance* instance) {
  TRITONBACKEND_Model* model = nullptr;
  Must(TRITONBACKEND_ModelInstanceModel(instance, &model));
  return ConfigHas(model, "not_ready") ? Fail("the device is away") : nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance* instance,
                                                       TRITONBACKEND_Request** requests,
                                                       const uint32_t request_count) {
  const Requests batch(requests, requests + request_count);
  if (const std::string fault = FaultOf(batch[0]); !fault.empty()) {
    return Misbehave(instance, fault, batch);
  }
  const auto now = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                              std::chrono::nanoseconds(1));
  for (TRITONBACKEND_Request* request : batch) {
    Send(MakeResponse(request));
    Must(TRITONBACKEND_ModelInstanceReportStatistics(instance, request, true, now, now, now, now));
    Must(ReleaseAll(request));
  }
  Must(
      TRITONBACKEND_ModelInstanceReportBatchStatistics(instance, batch.size(), now, now, now, now));
  return nullptr;
}

}  // extern "C"

// The repeat backend, a decoupled model for tests and demonstrations: one response for each element
// of the request's input.
//
//   input IN (INT32, [-1]); outputs OUT (INT32, [1]), the element, and IDX (UINT32, [1]), its
//   index. An element below 0 becomes an error in place of a response. Statistics are kept of each
//   response, and of the final flag that comes by itself as one without outputs.
//
// Parameters:
//   delay_ms           time between two responses
//   last_is_final      "1": the last response carries the final flag; else the flag comes by itself
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/entry_points.h"
#include "common/input_gatherer.h"
#include "common/model_config.h"
#include "common/request_batch.h"
#include "repeat/response_report.h"

namespace headrace::backend {
namespace {

struct RepeatModel {
  static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<RepeatModel>* model) {
    ModelConfig config;
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config));
    auto created = std::make_unique<RepeatModel>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("delay_ms", &created->delay_ms));
    HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("last_is_final", &created->last_is_final));
    const TensorConfig* const input = config.FindInput("IN");
    if (input == nullptr || input->dtype != TRITONSERVER_TYPE_INT32 || config.max_batch_size != 0) {
      return InvalidArgument("expected input 'IN' of TYPE_INT32, and no batching");
    }
    *model = std::move(created);
    return {};
  }

  static void Describe(TRITONBACKEND_BackendAttribute* attributes) { PreferCpu(attributes); }

  std::int64_t delay_ms = 0;
  std::int64_t last_is_final = 0;
};

struct DeleteFactory {
  void operator()(TRITONBACKEND_ResponseFactory* factory) const {
    HEADRACE_BACKEND_LOG_IF_ERROR(TRITONBACKEND_ResponseFactoryDelete(factory),
                                  "a response factory could not be deleted");
  }
};
using Factory = std::unique_ptr<TRITONBACKEND_ResponseFactory, DeleteFactory>;

Error AddOutput(TRITONBACKEND_Response* response, const char* name, TRITONSERVER_DataType dtype,
                const void* value) {
  const std::int64_t shape[] = {1};
  TRITONBACKEND_Output* output = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      TRITONBACKEND_ResponseOutput(response, &output, name, dtype, shape, 1));
  void* memory = nullptr;
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
  std::int64_t id = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_OutputBuffer(output, &memory, 4, &type, &id));
  std::memcpy(memory, value, 4);
  return {};
}

class RepeatInstance {
 public:
  explicit RepeatInstance(const RepeatModel& model) : model_(model) {}

  static Error Create(RepeatModel& model, TRITONBACKEND_ModelInstance* /*handle*/,
                      std::unique_ptr<RepeatInstance>* instance) {
    *instance = std::make_unique<RepeatInstance>(model);
    return {};
  }

  void ExecuteRequests(TRITONBACKEND_ModelInstance* handle,
                       std::span<TRITONBACKEND_Request* const> requests) {
    for (TRITONBACKEND_Request* request : requests) {
      const std::uint64_t begin = MonotonicNs();
      const Error error = Guarded("execution", [&] { return Answer(handle, request); });
      const std::uint64_t end = MonotonicNs();
      HEADRACE_BACKEND_LOG_IF_ERROR(error.Copy(), "a request could not be answered");
      HEADRACE_BACKEND_LOG_IF_ERROR(TRITONBACKEND_ModelInstanceReportStatistics(
                                        handle, request, error.ok(), begin, begin, end, end),
                                    "a request's statistics could not be reported");
      HEADRACE_BACKEND_LOG_IF_ERROR(
          TRITONBACKEND_ModelInstanceReportBatchStatistics(handle, 1, begin, begin, end, end),
          "an execution's statistics could not be reported");
      HEADRACE_BACKEND_LOG_IF_ERROR(
          TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_ALL),
          "a request could not be released");
    }
  }

 private:
  // Answers the request, to its end.
  Error Answer(TRITONBACKEND_ModelInstance* handle, TRITONBACKEND_Request* request) {
    TRITONBACKEND_ResponseFactory* made = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ResponseFactoryNew(&made, request));
    const Factory factory(made);
    const Error error = Respond(handle, request, made);
    if (error.ok() && final_sent_) {
      return {};
    }
    const ResponseReport report(handle, made);
    HEADRACE_BACKEND_RETURN_IF_ERROR(End(made, error));
    report.Report(error.get());
    return {};
  }

  Error End(TRITONBACKEND_ResponseFactory* factory, const Error& error) {
    if (error.ok()) {
      return TRITONBACKEND_ResponseFactorySendFlags(factory, TRITONSERVER_RESPONSE_COMPLETE_FINAL);
    }
    TRITONBACKEND_Response* response = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ResponseNewFromFactory(&response, factory));
    return TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error.get());
  }

  Error Respond(TRITONBACKEND_ModelInstance* handle, TRITONBACKEND_Request* request,
                TRITONBACKEND_ResponseFactory* factory) {
    final_sent_ = false;
    InputView view;
    HEADRACE_BACKEND_RETURN_IF_ERROR(DescribeInput(request, "IN", &view));
    std::vector<std::int32_t> values(view.byte_size / sizeof(std::int32_t));
    if (!values.empty()) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(
          CopyInput(view, reinterpret_cast<std::byte*>(values.data())));
    }
    for (std::uint32_t i = 0; i < values.size(); ++i) {
      bool cancelled = false;
      HEADRACE_BACKEND_RETURN_IF_ERROR(
          TRITONBACKEND_ResponseFactoryIsCancelled(factory, &cancelled));
      if (cancelled) {
        return Error(TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_CANCELLED, "request cancelled"));
      }
      if (i > 0 && model_.delay_ms > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(model_.delay_ms));
      }
      const bool last = model_.last_is_final != 0 && i + 1 == values.size();
      HEADRACE_BACKEND_RETURN_IF_ERROR(SendOne(handle, factory, values[i], i, last));
    }
    return {};
  }

  Error SendOne(TRITONBACKEND_ModelInstance* handle, TRITONBACKEND_ResponseFactory* factory,
                std::int32_t value, std::uint32_t index, bool last) {
    ResponseReport report(handle, factory);
    TRITONBACKEND_Response* response = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ResponseNewFromFactory(&response, factory));
    Error error;
    if (value < 0) {
      error = InvalidArgument("element {} is {}", index, value);
    } else {
      report.OutputStart();
      error = AddOutput(response, "OUT", TRITONSERVER_TYPE_INT32, &value);
      if (error.ok()) {
        error = AddOutput(response, "IDX", TRITONSERVER_TYPE_UINT32, &index);
      }
    }
    final_sent_ = last;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ResponseSend(
        response, last ? TRITONSERVER_RESPONSE_COMPLETE_FINAL : 0, error.get()));
    report.Report(error.get());
    return {};
  }

  const RepeatModel& model_;
  bool final_sent_ = false;
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("repeat", ::headrace::backend::RepeatModel,
                              ::headrace::backend::RepeatInstance)

// Tells the server what one response of a decoupled model took.
#ifndef HEADRACE_BACKENDS_REPEAT_RESPONSE_REPORT_H_
#define HEADRACE_BACKENDS_REPEAT_RESPONSE_REPORT_H_

#include <cstdint>

#include "common/entry_points.h"
#include "common/error.h"

namespace headrace::backend {

// Starts when it is made. One response each: OutputStart when its outputs begin to be written (not
// for a response without outputs), Report when it was sent.
class ResponseReport {
 public:
  // Both are borrowed.
  ResponseReport(TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_ResponseFactory* factory)
      : instance_(instance), factory_(factory), start_(MonotonicNs()) {}

  void OutputStart() { output_start_ = MonotonicNs(); }

  // `error`: what the response said, null when it went well. A report that the server does not take
  // is logged.
  void Report(TRITONSERVER_Error* error) const {
    HEADRACE_BACKEND_LOG_IF_ERROR(Send(error), "a response's statistics could not be reported");
  }

 private:
  Error Send(TRITONSERVER_Error* error) const {
    TRITONBACKEND_ModelInstanceResponseStatistics* made = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceResponseStatisticsNew(&made));
    Error failure = Fill(made, error);
    if (failure.ok()) {
      failure = TRITONBACKEND_ModelInstanceReportResponseStatistics(made);
    }
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceResponseStatisticsDelete(made));
    return failure;
  }

  Error Fill(TRITONBACKEND_ModelInstanceResponseStatistics* made, TRITONSERVER_Error* error) const {
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        TRITONBACKEND_ModelInstanceResponseStatisticsSetModelInstance(made, instance_));
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseFactory(made, factory_));
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseStart(made, start_));
    if (output_start_ != 0) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(
          TRITONBACKEND_ModelInstanceResponseStatisticsSetComputeOutputStart(made, output_start_));
    }
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseEnd(made, MonotonicNs()));
    return error == nullptr
               ? Error()
               : Error(TRITONBACKEND_ModelInstanceResponseStatisticsSetError(made, error));
  }

  TRITONBACKEND_ModelInstance* const instance_;
  TRITONBACKEND_ResponseFactory* const factory_;
  const std::uint64_t start_;
  std::uint64_t output_start_ = 0;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_REPEAT_RESPONSE_REPORT_H_

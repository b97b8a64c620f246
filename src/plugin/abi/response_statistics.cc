// Entries of family "statistics" that are about single responses of decoupled models.
#include "plugin/model_handle.h"
#include "plugin/request_handle.h"

using headrace::Nanos;
using headrace::engine::ResponseOutcome;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsNew(
    TRITONBACKEND_ModelInstanceResponseStatistics** response_statistics) {
  return Answer([&]() -> TRITONSERVER_Error* {
    *response_statistics = new TRITONBACKEND_ModelInstanceResponseStatistics();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsDelete(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics) {
  delete response_statistics;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsSetModelInstance(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics,
    TRITONBACKEND_ModelInstance* model_instance) {
  response_statistics->instance = model_instance;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseFactory(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics,
    TRITONBACKEND_ResponseFactory* response_factory) {
  response_statistics->factory = response_factory;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseStart(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics, uint64_t response_start) {
  response_statistics->times.start = static_cast<Nanos>(response_start);
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsSetComputeOutputStart(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics,
    uint64_t compute_output_start) {
  response_statistics->times.output_start = static_cast<Nanos>(compute_output_start);
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsSetResponseEnd(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics, uint64_t response_end) {
  response_statistics->times.end = static_cast<Nanos>(response_end);
  return nullptr;
}

// The error stays the caller's: what it means is kept, not the object.
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceResponseStatisticsSetError(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics, TRITONSERVER_Error* error) {
  response_statistics->outcome = error == nullptr ? ResponseOutcome::kSuccess
                                 : TRITONSERVER_ErrorCode(error) == TRITONSERVER_ERROR_CANCELLED
                                     ? ResponseOutcome::kCancelled
                                     : ResponseOutcome::kFailure;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReportResponseStatistics(
    TRITONBACKEND_ModelInstanceResponseStatistics* response_statistics) {
  const TRITONBACKEND_ModelInstanceResponseStatistics& reported = *response_statistics;
  if (reported.instance == nullptr || reported.factory == nullptr) {
    return RefuseCall("response statistics without a model instance or a response factory");
  }
  if (reported.times.start <= 0 || reported.times.end < reported.times.start) {
    return RefuseCall("response statistics whose response did not start before it ended");
  }
  const std::uint64_t index = reported.factory->request->NextReportedResponse();
  if (reported.instance->statistics != nullptr) {
    reported.instance->statistics->RecordResponse(index, reported.times, reported.outcome);
  }
  return nullptr;
}

}  // extern "C"

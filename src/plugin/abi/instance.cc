// Entries of family "instance" and "statistics".
#include "engine/model.h"
#include "plugin/model_handle.h"
#include "plugin/request_handle.h"

using headrace::Nanos;
using headrace::engine::ExecutionTimes;
using headrace::engine::TraceActivity;
using headrace::plugin::RefuseCall;

namespace {

ExecutionTimes Times(std::uint64_t exec_start_ns, std::uint64_t compute_start_ns,
                     std::uint64_t compute_end_ns, std::uint64_t exec_end_ns) {
  return {.exec_start = static_cast<Nanos>(exec_start_ns),
          .compute_start = static_cast<Nanos>(compute_start_ns),
          .compute_end = static_cast<Nanos>(compute_end_ns),
          .exec_end = static_cast<Nanos>(exec_end_ns)};
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceName(TRITONBACKEND_ModelInstance* instance,
                                                    const char** name) {
  *name = instance->placement.name.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceKind(TRITONBACKEND_ModelInstance* instance,
                                                    TRITONSERVER_InstanceGroupKind* kind) {
  *kind = static_cast<TRITONSERVER_InstanceGroupKind>(instance->placement.kind);
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceDeviceId(TRITONBACKEND_ModelInstance* instance,
                                                        int32_t* device_id) {
  *device_id = instance->placement.device_id;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceHostPolicy(TRITONBACKEND_ModelInstance* instance,
                                                          TRITONSERVER_Message** host_policy) {
  *host_policy = &instance->host_policy;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceIsPassive(TRITONBACKEND_ModelInstance* instance,
                                                         bool* is_passive) {
  *is_passive = instance->placement.passive;
  return nullptr;
}

// Profiles and secondary devices belong to accelerators that this server does not place instances
// on.
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceProfileCount(TRITONBACKEND_ModelInstance*,
                                                            uint32_t* count) {
  *count = 0;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceProfileName(TRITONBACKEND_ModelInstance*,
                                                           const uint32_t,
                                                           const char** profile_name) {
  *profile_name = nullptr;
  return RefuseCall("the instance has no optimization profile of that index");
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceSecondaryDeviceCount(TRITONBACKEND_ModelInstance*,
                                                                    uint32_t* count) {
  *count = 0;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceSecondaryDeviceProperties(
    TRITONBACKEND_ModelInstance*, uint32_t, const char** kind, int64_t*) {
  *kind = nullptr;
  return RefuseCall("the instance has no secondary device of that index");
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceModel(TRITONBACKEND_ModelInstance* instance,
                                                     TRITONBACKEND_Model** model) {
  *model = instance->model;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceState(TRITONBACKEND_ModelInstance* instance,
                                                     void** state) {
  *state = instance->state;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceSetState(TRITONBACKEND_ModelInstance* instance,
                                                        void* state) {
  instance->state = state;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReportStatistics(
    TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request* request, const bool success,
    const uint64_t exec_start_ns, const uint64_t compute_start_ns, const uint64_t compute_end_ns,
    const uint64_t exec_end_ns) {
  if (!request->held()) {
    return RefuseCall("statistics of a request that was released before");
  }
  // What fills an empty slot of a sequence batch counts nowhere.
  if (instance->statistics != nullptr && !request->request().placeholder) {
    const headrace::engine::InferRequest& reported = request->request();
    const ExecutionTimes times =
        Times(exec_start_ns, compute_start_ns, compute_end_ns, exec_end_ns);
    instance->statistics->RecordRequestExecution(success, times.exec_start - reported.times.queued,
                                                 times,
                                                 static_cast<std::uint64_t>(reported.batch_size));
    if (success && reported.observer != nullptr) {
      reported.observer->OnExecution(times);
    }
    if (reported.trace != nullptr) {
      reported.trace->Report(TraceActivity::kComputeStart, times.exec_start);
      reported.trace->Report(TraceActivity::kComputeInputEnd, times.compute_start);
      reported.trace->Report(TraceActivity::kComputeOutputStart, times.compute_end);
      reported.trace->Report(TraceActivity::kComputeEnd, times.exec_end);
    }
  }
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReportBatchStatistics(
    TRITONBACKEND_ModelInstance* instance, const uint64_t batch_size, const uint64_t exec_start_ns,
    const uint64_t compute_start_ns, const uint64_t compute_end_ns, const uint64_t exec_end_ns) {
  if (instance->statistics != nullptr) {
    instance->statistics->RecordBatchExecution(
        batch_size, Times(exec_start_ns, compute_start_ns, compute_end_ns, exec_end_ns));
  }
  return nullptr;
}

// Memory usage is taken note of by nobody here; the statistics leave it out.
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReportMemoryUsage(TRITONBACKEND_ModelInstance*,
                                                                 TRITONSERVER_BufferAttributes**,
                                                                 uint32_t) {
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelReportMemoryUsage(TRITONBACKEND_Model*,
                                                         TRITONSERVER_BufferAttributes**,
                                                         uint32_t) {
  return nullptr;
}

}  // extern "C"

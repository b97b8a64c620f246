// Entries of family "trace", except those about a backend's request.
#include "plugin/trace_handle.h"
#include "plugin/values.h"

using headrace::Nanos;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;

namespace {

TRITONSERVER_Error* NewTrace(TRITONSERVER_InferenceTrace** trace, std::uint32_t level,
                             std::uint64_t parent_id,
                             const TRITONSERVER_InferenceTrace::Callbacks& callbacks) {
  *trace = nullptr;
  return Answer([&]() -> TRITONSERVER_Error* {
    auto made = std::make_unique<TRITONSERVER_InferenceTrace>();
    made->callbacks = callbacks;
    made->level = level;
    made->id = headrace::plugin::NextTraceId();
    made->parent_id = parent_id;
    *trace = made.release();
    return nullptr;
  });
}

}  // namespace

extern "C" {

const char* TRITONSERVER_InferenceTraceLevelString(TRITONSERVER_InferenceTraceLevel level) {
  switch (level) {
    case TRITONSERVER_TRACE_LEVEL_DISABLED:
      return "DISABLED";
    case TRITONSERVER_TRACE_LEVEL_MIN:
      return "MIN";
    case TRITONSERVER_TRACE_LEVEL_MAX:
      return "MAX";
    case TRITONSERVER_TRACE_LEVEL_TIMESTAMPS:
      return "TIMESTAMPS";
    case TRITONSERVER_TRACE_LEVEL_TENSORS:
      return "TENSORS";
  }
  return "<unknown>";
}

const char* TRITONSERVER_InferenceTraceActivityString(
    TRITONSERVER_InferenceTraceActivity activity) {
  if (activity < TRITONSERVER_TRACE_REQUEST_START ||
      activity > TRITONSERVER_TRACE_CUSTOM_ACTIVITY) {
    return "<unknown>";
  }
  // The names are literals, so the view ends in a zero byte.
  return headrace::engine::TraceActivityName(static_cast<headrace::engine::TraceActivity>(activity))
      .data();
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceNew(
    TRITONSERVER_InferenceTrace** trace, TRITONSERVER_InferenceTraceLevel level, uint64_t parent_id,
    TRITONSERVER_InferenceTraceActivityFn_t activity_fn,
    TRITONSERVER_InferenceTraceReleaseFn_t release_fn, void* trace_userp) {
  if ((level & TRITONSERVER_TRACE_LEVEL_TENSORS) != 0) {
    *trace = nullptr;
    return RefuseCall("a trace of tensors needs a function for them: InferenceTraceTensorNew");
  }
  return NewTrace(trace, level, parent_id, {activity_fn, nullptr, release_fn, trace_userp});
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceTensorNew(
    TRITONSERVER_InferenceTrace** trace, TRITONSERVER_InferenceTraceLevel level, uint64_t parent_id,
    TRITONSERVER_InferenceTraceActivityFn_t activity_fn,
    TRITONSERVER_InferenceTraceTensorActivityFn_t tensor_activity_fn,
    TRITONSERVER_InferenceTraceReleaseFn_t release_fn, void* trace_userp) {
  return NewTrace(trace, level, parent_id,
                  {activity_fn, tensor_activity_fn, release_fn, trace_userp});
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceDelete(TRITONSERVER_InferenceTrace* trace) {
  delete trace;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceReportActivity(TRITONSERVER_InferenceTrace* trace,
                                                              uint64_t timestamp,
                                                              const char* activity_name) {
  if (trace == nullptr) {
    return RefuseCall("there is no such trace");
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    if (trace->own != nullptr) {
      trace->own->ReportCustom(activity_name, static_cast<Nanos>(timestamp));
    } else if (trace->callbacks.activity != nullptr) {
      trace->callbacks.activity(trace, TRITONSERVER_TRACE_CUSTOM_ACTIVITY, timestamp,
                                trace->callbacks.userp);
    }
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceId(TRITONSERVER_InferenceTrace* trace,
                                                  uint64_t* id) {
  *id = trace->id;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceParentId(TRITONSERVER_InferenceTrace* trace,
                                                        uint64_t* parent_id) {
  *parent_id = trace->parent_id;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceModelName(TRITONSERVER_InferenceTrace* trace,
                                                         const char** model_name) {
  *model_name = trace->model_name.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceModelVersion(TRITONSERVER_InferenceTrace* trace,
                                                            int64_t* model_version) {
  *model_version = trace->model_version;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceRequestId(TRITONSERVER_InferenceTrace* trace,
                                                         const char** request_id) {
  *request_id = trace->request_id.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceSpawnChildTrace(
    TRITONSERVER_InferenceTrace* trace, TRITONSERVER_InferenceTrace** child_trace) {
  *child_trace = nullptr;
  if (trace == nullptr) {
    return RefuseCall("there is no such trace");
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    *child_trace = headrace::plugin::SpawnChild(*trace);
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceSetContext(TRITONSERVER_InferenceTrace* trace,
                                                          const char* trace_context) {
  return Answer([&]() -> TRITONSERVER_Error* {
    trace->context = trace_context;
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceContext(TRITONSERVER_InferenceTrace* trace,
                                                       const char** trace_context) {
  *trace_context = trace->context.c_str();
  return nullptr;
}

}  // extern "C"

// The trace of a request as the C interface shows it (family "trace").
//
// Two kinds: a trace made through the interface reports to the callbacks of its maker; a trace of
// the server's own (src/tracing) is only shown to backends, which may make children of it.
#ifndef HEADRACE_PLUGIN_TRACE_HANDLE_H_
#define HEADRACE_PLUGIN_TRACE_HANDLE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "engine/request_trace.h"
#include "triton_abi.h"

// Getters may be called from any thread once the trace's request has been submitted; what changes a
// handle is its maker's, before that.
struct TRITONSERVER_InferenceTrace {
  // Who hears of the activities; all null for a trace of the server's own.
  struct Callbacks {
    TRITONSERVER_InferenceTraceActivityFn_t activity = nullptr;
    TRITONSERVER_InferenceTraceTensorActivityFn_t tensor = nullptr;
    TRITONSERVER_InferenceTraceReleaseFn_t release = nullptr;
    void* userp = nullptr;
  };
  Callbacks callbacks;
  std::uint32_t level = 0;  // of TRITONSERVER_InferenceTraceLevel
  std::uint64_t id = 0, parent_id = 0;
  std::string model_name, request_id, context;
  std::int64_t model_version = -1;
  std::shared_ptr<headrace::engine::RequestTrace> own{};  // the server's own trace, or null
};

namespace headrace::plugin {

// A number for a new trace, unique in this process: traces are made without a server.
std::uint64_t NextTraceId();

// What the engine reports to, for the request that the trace is given to. Takes over the handle,
// also that of a trace of the server's own: the last holder's end gives it back by the release
// callback, or deletes it.
std::shared_ptr<engine::RequestTrace> AdoptTrace(TRITONSERVER_InferenceTrace* handle);

// A trace for a request that this one's causes. Owned by the caller until it is adopted.
TRITONSERVER_InferenceTrace* SpawnChild(TRITONSERVER_InferenceTrace& parent);

// The handle of a request's trace for its backend: the maker's own, or `shown`, which is filled for
// that.
TRITONSERVER_InferenceTrace* HandleOf(const std::shared_ptr<engine::RequestTrace>& trace,
                                      TRITONSERVER_InferenceTrace& shown);

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_TRACE_HANDLE_H_

/* What Headrace's own backends export beside Triton's interface. A server that does not know these
 * names never calls them; a backend that lacks them works without. Looked up by name in the
 * backend's library. */
#ifndef HEADRACE_EXTENSIONS_H_
#define HEADRACE_EXTENSIONS_H_

#include <stddef.h>

#include "triton_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEADRACE_MODEL_PROFILE_START "HEADRACE_ModelProfileStart"
#define HEADRACE_MODEL_PROFILE_STOP "HEADRACE_ModelProfileStop"

/* Begins to record the operators that the model's instances run. `options` is a JSON object
 * {"shapes": bool, "memory": bool, "stack": bool}: what is to be known of operators beside their
 * times; a runtime that cannot tell leaves it out. UNAVAILABLE if the runtime can record one
 * profile at a time, and does. Any thread; does not wait for instances. */
typedef TRITONSERVER_Error* HEADRACE_ModelProfileStartFunction(TRITONBACKEND_Model* model,
                                                               const char* options);

/* Ends it and hands the record to `take`, once, before it returns: one JSON object
 *   {"runtime": "libtorch 2.15", "truncated": false, "note": "", "memory_note": "", "work_note":
 * "", "threads": 4, "events": [{"name", "kind", "start_ns", "duration_ns", "thread", "shapes"?,
 * "flops"?, "moved_bytes"?, "bytes"?, "stack"?, "device"?}, ...], "totals": [{"name", "kind",
 * "count", "duration_ns", "detail"?, "flops"?, "moved_bytes"?, "worked_count"?, "worked_ns"?},
 * ...], "memory": [{"time_ns", "thread", "bytes", "device"?}, ...], "stacks": ["outer;inner", ...]}
 * Events are on CLOCK_MONOTONIC and nest by time within a thread; totals are of runtimes that only
 * sum up. "flops" and "moved_bytes" (inputs and outputs, each once) are left out where they are not
 * known; those of a total are of "worked_count" calls that took "worked_ns" together. "work_note"
 * says why none are known, "threads" how many an instance computes with (0: not known). An event's
 * "bytes" are those of its outputs, its "stack" the number of the lines of the model's source that
 * called it; "memory" is what was allocated (above 0) and freed. What the bytes are, "memory_note"
 * says in words. Any thread; may block while batches that are under way end. */
typedef void HEADRACE_TakeText(void* user, const char* text, size_t byte_size);
typedef TRITONSERVER_Error* HEADRACE_ModelProfileStopFunction(TRITONBACKEND_Model* model,
                                                              HEADRACE_TakeText* take, void* user);

#ifdef __cplusplus
}
#endif

#endif /* HEADRACE_EXTENSIONS_H_ */

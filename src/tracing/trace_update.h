// Trace settings as the endpoints take and show them (contracts, Triton 1.11, 2.5).
#ifndef HEADRACE_TRACING_TRACE_UPDATE_H_
#define HEADRACE_TRACING_TRACE_UPDATE_H_

#include "base/result.h"
#include "protocol/settings_json.h"
#include "tracing/tracer.h"

namespace headrace::tracing {

struct TraceUpdate {
  TraceOverrides changes;
  Tracer::Cleared cleared;
};

// Reads trace_level (a list), trace_rate, trace_count, log_frequency (numbers, or numbers as text);
// null, or an empty list, clears. UNIMPLEMENTED for what is fixed when the server starts
// (trace_file, trace_mode and OpenTelemetry's options); INVALID_ARGUMENT names any other member, or
// a bad value.
Result<TraceUpdate> ReadTraceUpdate(const protocol::Settings& settings);

// All settings in Triton's order, each as text, trace_level as a list.
protocol::Settings ShowTraceSettings(const TraceSettings& settings, const TraceTarget& target);

}  // namespace headrace::tracing

#endif  // HEADRACE_TRACING_TRACE_UPDATE_H_

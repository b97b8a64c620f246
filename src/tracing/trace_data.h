// One finished trace, on its way to where traces go.
#ifndef HEADRACE_TRACING_TRACE_DATA_H_
#define HEADRACE_TRACING_TRACE_DATA_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace headrace::tracing {

// W3C trace context: which distributed trace a request belongs to, and the span that caused it.
struct SpanContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::uint64_t span_id = 0;

  // "00-<32 hex>-<16 hex>-<2 hex>"; nothing for what is none, or all zero.
  static std::optional<SpanContext> Parse(std::string_view traceparent);
  std::string TraceIdText() const;
  std::string Text() const;  // as traceparent, sampled
};
std::string SpanIdText(std::uint64_t span_id);

struct TraceEvent {
  std::string name;
  Nanos time = 0;  // monotonic
};

struct TracedTensor {
  std::string_view activity;  // static text
  std::string name;
  std::string datatype;
  std::string shape;  // "1,16"
  std::string data;   // "v,v,...", cut at kTracedElementCountMax elements
};

inline constexpr std::size_t kTracedElementCountMax = 100'000;

struct TraceData {
  std::uint64_t id = 0;
  std::uint64_t parent_id = 0;  // 0 = none
  std::string model_name;
  std::int64_t model_version = 0;
  std::string request_id;
  std::vector<TraceEvent> events;  // in the order in which they were reported
  std::vector<TracedTensor> tensors;
  std::uint64_t log_frequency = 0;

  // Of the request itself; `parent_span_id` is the caller's, 0 = none.
  SpanContext span;
  std::uint64_t parent_span_id = 0;
};

// Where finished traces go. Called on the tracer's thread only.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void Take(TraceData trace) = 0;
  // Writes what has gathered, if it is due or if `all`. Returns when it wants to be called again.
  virtual Nanos Flush(Nanos now, bool all) = 0;
};

}  // namespace headrace::tracing

#endif  // HEADRACE_TRACING_TRACE_DATA_H_

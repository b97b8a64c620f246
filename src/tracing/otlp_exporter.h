// Sends traces to an OpenTelemetry collector: OTLP over HTTP, in its JSON form.
#ifndef HEADRACE_TRACING_OTLP_EXPORTER_H_
#define HEADRACE_TRACING_OTLP_EXPORTER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tracing/trace_data.h"
#include "tracing/trace_settings.h"

namespace headrace::tracing {

// Posts a body to a URL. Blocks, at most some seconds. The failure says why.
using PostFunction = std::function<Status(const std::string& url, const std::string& json)>;
// The real one, by libcurl.
PostFunction HttpPost();

// A trace becomes the spans "InferRequest" (unless it has a parent), the model's name, and
// "compute"; activities are events of the span that they belong to (contracts, Triton 6.3). Batches
// go out when they are full or `schedule_delay_ms` old. A collector that does not answer costs
// traces, never memory: beyond queue_size_max they are dropped. Not thread-safe.
class OtlpExporter final : public TraceSink {
 public:
  // `wall_minus_monotonic`: what turns monotonic stamps into time since the epoch.
  OtlpExporter(TraceTarget target, PostFunction post, Nanos wall_minus_monotonic);

  void Take(TraceData trace) override;
  Nanos Flush(Nanos now, bool all) override;

  std::uint64_t dropped() const { return dropped_; }

 private:
  std::string BatchJson(std::size_t count) const;

  const TraceTarget target_;
  const PostFunction post_;
  const Nanos wall_minus_monotonic_;
  std::vector<std::string> spans_;  // of one trace each, as JSON objects with commas between them
  Nanos oldest_ = kNever;           // when the oldest of them came, as far as Flush has seen
  std::uint64_t dropped_ = 0;
  bool failure_logged_ = false;
};

// The spans of one trace, as JSON objects with commas between them.
std::string SpansJson(const TraceData& trace, Nanos wall_minus_monotonic);

}  // namespace headrace::tracing

#endif  // HEADRACE_TRACING_OTLP_EXPORTER_H_

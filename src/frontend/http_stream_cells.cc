#include "frontend/http_stream_cells.h"

#include <algorithm>

namespace headrace::frontend {

void HttpStreamCells::Collect(telemetry::PrometheusWriter& writer) const {
  using telemetry::MetricKind;
  writer.Family("headrace_http_streams", MetricKind::kGauge,
                "generate_stream requests that have not ended");
  writer.Sample({}, static_cast<std::uint64_t>(
                        std::max<std::int64_t>(0, streams.load(std::memory_order_relaxed))));
  writer.Family("headrace_http_stream_events_total", MetricKind::kCounter,
                "Events sent on generate_stream requests");
  writer.Sample({}, events.load(std::memory_order_relaxed));
  writer.Family("headrace_http_stream_given_up_total", MetricKind::kCounter,
                "generate_stream requests that ended because nobody took their events");
  writer.Sample({}, given_up.load(std::memory_order_relaxed));
}

}  // namespace headrace::frontend

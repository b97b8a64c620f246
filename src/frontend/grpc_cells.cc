#include "frontend/grpc_cells.h"

#include <algorithm>
#include <string_view>

namespace headrace::frontend {
namespace {

std::uint64_t Gauge(const std::atomic<std::int64_t>& cell) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, cell.load(std::memory_order_relaxed)));
}

void Write(telemetry::PrometheusWriter& writer, std::string_view name, telemetry::MetricKind kind,
           std::string_view help, std::uint64_t value) {
  writer.Family(name, kind, help);
  writer.Sample({}, value);
}

}  // namespace

void GrpcCells::Collect(telemetry::PrometheusWriter& writer) const {
  using telemetry::MetricKind;
  Write(writer, "headrace_grpc_streams", MetricKind::kGauge, "ModelStreamInfer calls that are open",
        Gauge(streams));
  Write(writer, "headrace_grpc_stream_requests", MetricKind::kGauge,
        "Requests in flight on ModelStreamInfer calls", Gauge(stream_requests));
  Write(writer, "headrace_grpc_stream_pauses_total", MetricKind::kCounter,
        "Times that a stream was not read, because of its requests in flight or its unread answers",
        stream_pauses.load(std::memory_order_relaxed));
  Write(writer, "headrace_grpc_stream_given_up_total", MetricKind::kCounter,
        "Requests to decoupled models that ended because nobody took their responses",
        stream_given_up.load(std::memory_order_relaxed));
}

}  // namespace headrace::frontend

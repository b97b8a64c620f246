#include "handler/cpu_pool.h"

namespace headrace::handler {

void CpuPool::Collect(telemetry::PrometheusWriter& writer) const {
  using telemetry::MetricKind;
  writer.Family("headrace_native_prepared_total", MetricKind::kCounter,
                "Requests that native handlers have made tensors of");
  writer.Sample({}, prepared_.load(std::memory_order_relaxed));
  writer.Family("headrace_native_unreadable_total", MetricKind::kCounter,
                "Requests that native handlers could not read");
  writer.Sample({}, unreadable_.load(std::memory_order_relaxed));
  writer.Family("headrace_cpu_pool_refused_total", MetricKind::kCounter,
                "Tasks that were refused because too many waited for a thread of the cpu pool");
  writer.Sample({}, threads_.refused_count());
  writer.Family("headrace_cpu_pool_waiting", MetricKind::kGauge,
                "Tasks that wait for a thread of the cpu pool");
  writer.Sample({}, std::uint64_t{threads_.waiting_count()});
  writer.Family("headrace_image_memory_in_use_bytes", MetricKind::kGauge,
                "Memory that decoders of images hold beside an image's rows");
  writer.Sample({}, std::uint64_t{image_memory_.used()});
}

}  // namespace headrace::handler

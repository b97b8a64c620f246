#include "store/worker_metrics.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace headrace::store {

void WorkerMetrics::Collect(telemetry::PrometheusWriter& writer) const {
  using Version = ModelStore::ScalableVersion;
  const std::vector<Version> versions = store_.ScalableVersions();
  const auto family = [&](std::string_view name, std::string_view help, auto value) {
    writer.Family(name, telemetry::MetricKind::kGauge, help);
    for (const Version& version : versions) {
      writer.Sample({{"model", version.name}, {"version", version.version}},
                    static_cast<std::uint64_t>(value(version)));
    }
  };
  family("headrace_workers_wanted", "Workers that the version was given, by load or by a client",
         [](const Version& version) { return version.worker_count; });
  family("headrace_workers_min", "The least workers that it may have",
         [](const Version& version) { return version.worker_count_min; });
  family("headrace_workers_max", "The most workers that it may have",
         [](const Version& version) { return version.worker_count_max; });
  family("headrace_workers_queue_depth", "Requests that wait for a worker of it",
         [](const Version& version) { return version.model->queue_depth(); });
}

}  // namespace headrace::store

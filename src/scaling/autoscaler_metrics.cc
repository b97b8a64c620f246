// What the models that are online have, and what changed, as metrics.
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "scaling/autoscaler.h"
#include "scaling/managed_version.h"

namespace headrace::scaling {
namespace {

using telemetry::Labels;
using telemetry::MetricKind;

constexpr double kSecondsPerNano = 1e-9;

constexpr std::pair<DelayReason, const char*> kDelayReasons[] = {
    {DelayReason::kLimits, "limits"},
    {DelayReason::kLatency, "latency"},
    {DelayReason::kAlone, "alone"},
    {DelayReason::kRoom, "room"},
};
constexpr std::pair<ScalingReason, const char*> kInstanceReasons[] = {
    {ScalingReason::kLimits, "limits"},
    {ScalingReason::kLatency, "latency"},
    {ScalingReason::kQueue, "queue"},
    {ScalingReason::kLowLoad, "low_load"},
};

double Seconds(Nanos time) {
  return time == kNever ? 0 : static_cast<double>(time) * kSecondsPerNano;
}

// Of one model, read once.
struct Row {
  Labels labels;
  Nanos sla, latency, queue_delay;
  std::int64_t instances;
  bool beyond_bounds;
  std::vector<std::pair<Labels, std::uint64_t>> changes;
};

Labels With(const Labels& labels, std::string_view setting, std::string_view reason) {
  Labels all = labels;
  all.emplace_back("setting", setting);
  all.emplace_back("reason", reason);
  return all;
}

}  // namespace

void Autoscaler::Collect(telemetry::PrometheusWriter& writer) const {
  std::map<Key, ManagedPtr> managed;
  {
    const std::lock_guard lock(mutex_);
    managed = managed_;
  }
  std::vector<Row> rows;
  for (const auto& [key, one] : managed) {
    const engine::ModelHandle model = one->model.lock();
    const std::lock_guard lock(one->mutex);
    if (!one->online || model == nullptr) {
      continue;
    }
    Labels labels{{"model", model->name()}};
    if (!model->name_space().empty()) {
      labels.emplace_back("namespace", model->name_space());
    }
    labels.emplace_back("version", key.second);
    const OnlineModel& online = *one->online;
    Row row{labels,
            online.options().sla,
            online.latency(),
            model->queue_delay(),
            static_cast<std::int64_t>(model->instance_count()),
            online.beyond_bounds(),
            {}};
    for (const auto& [reason, text] : kDelayReasons) {
      row.changes.emplace_back(With(labels, "queue_delay", text), online.delay_changes(reason));
    }
    for (const auto& [reason, text] : kInstanceReasons) {
      row.changes.emplace_back(With(labels, "instances", text), online.instance_changes(reason));
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty()) {
    return;
  }
  const auto family = [&](std::string_view name, std::string_view help, auto value) {
    writer.Family(name, MetricKind::kGauge, help);
    for (const Row& row : rows) {
      writer.Sample(row.labels, value(row));
    }
  };
  family("headrace_online_sla_seconds", "Latency that the percentile of the SLA is to stay within",
         [](const Row& row) { return Seconds(row.sla); });
  family("headrace_online_latency_seconds",
         "That percentile in the last window; 0: none yet, or it falls among refused requests",
         [](const Row& row) { return Seconds(row.latency); });
  family("headrace_online_queue_delay_seconds", "Queue delay of the dynamic batcher now",
         [](const Row& row) { return Seconds(row.queue_delay); });
  family("headrace_online_instances", "Instances that the model has now",
         [](const Row& row) { return static_cast<std::uint64_t>(row.instances); });
  family("headrace_online_beyond_bounds",
         "Whether nothing within the bounds holds the SLA: 1, or 0",
         [](const Row& row) { return static_cast<std::uint64_t>(row.beyond_bounds); });
  writer.Family("headrace_online_changes_total", MetricKind::kCounter,
                "Changes of queue delay and instances, by what caused them");
  for (const Row& row : rows) {
    for (const auto& [labels, count] : row.changes) {
      writer.Sample(labels, count);
    }
  }
}

}  // namespace headrace::scaling

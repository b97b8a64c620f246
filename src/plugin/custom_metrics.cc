#include "plugin/custom_metrics.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace headrace::plugin {
namespace {

// [a-zA-Z_:][a-zA-Z0-9_:]*; label names have no colon.
bool IsMetricName(std::string_view name, bool colon) {
  const auto fits = [colon](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (colon && c == ':');
  };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), fits);
}

telemetry::MetricKind KindOf(TRITONSERVER_MetricKind kind) {
  switch (kind) {
    case TRITONSERVER_METRIC_KIND_COUNTER:
      return telemetry::MetricKind::kCounter;
    case TRITONSERVER_METRIC_KIND_GAUGE:
      return telemetry::MetricKind::kGauge;
    case TRITONSERVER_METRIC_KIND_HISTOGRAM:
      break;
  }
  return telemetry::MetricKind::kHistogram;
}

std::string_view KindName(TRITONSERVER_MetricKind kind) {
  switch (kind) {
    case TRITONSERVER_METRIC_KIND_COUNTER:
      return "TRITONSERVER_METRIC_KIND_COUNTER";
    case TRITONSERVER_METRIC_KIND_GAUGE:
      return "TRITONSERVER_METRIC_KIND_GAUGE";
    case TRITONSERVER_METRIC_KIND_HISTOGRAM:
      break;
  }
  return "TRITONSERVER_METRIC_KIND_HISTOGRAM";
}

Status NotFor(const TRITONSERVER_MetricFamily& family, std::string_view operation) {
  return Unimplemented("{} does not support {}", KindName(family.kind), operation);
}

}  // namespace

CustomMetrics& CustomMetrics::OfProcess() {
  static CustomMetrics metrics;
  return metrics;
}

bool CustomMetrics::IsTheServers(std::string_view name) const {
  if (cache_library_.load(std::memory_order_relaxed) && name.starts_with("nv_cache_") &&
      !name.ends_with("_per_model")) {
    return false;
  }
  return name.starts_with("nv_") || name.starts_with("headrace_");
}

Result<TRITONSERVER_MetricFamily*> CustomMetrics::NewFamily(TRITONSERVER_MetricKind kind,
                                                            std::string name, std::string help) {
  if (kind < TRITONSERVER_METRIC_KIND_COUNTER || kind > TRITONSERVER_METRIC_KIND_HISTOGRAM) {
    return InvalidArgument("metric family '{}' is of an unknown kind", name);
  }
  if (!IsMetricName(name, /*colon=*/true) || IsTheServers(name)) {
    return InvalidArgument("'{}' cannot be the name of a backend's metric family", name);
  }
  std::lock_guard lock(mutex_);
  for (TRITONSERVER_MetricFamily& family : families_) {
    if (family.name == name && family.kind != kind) {
      return AlreadyExists("metric family '{}' exists with another kind", name);
    }
    if (family.name == name) {
      ++family.handle_count;
      return &family;
    }
  }
  return &families_.emplace_back(
      TRITONSERVER_MetricFamily{kind, std::move(name), std::move(help), {}});
}

Status CustomMetrics::DeleteFamily(TRITONSERVER_MetricFamily* family) {
  std::lock_guard lock(mutex_);
  if (family->handle_count > 1) {
    --family->handle_count;
    return OkStatus();
  }
  if (!family->series.empty()) {
    return Internal("metric family '{}' still has metrics", family->name);
  }
  families_.remove_if([family](const auto& candidate) { return &candidate == family; });
  return OkStatus();
}

Result<TRITONSERVER_Metric*> CustomMetrics::NewMetric(TRITONSERVER_MetricFamily* family,
                                                      telemetry::Labels labels,
                                                      const std::vector<double>& buckets) {
  for (const auto& [name, value] : labels) {
    if (!IsMetricName(name, /*colon=*/false)) {
      return InvalidArgument("'{}' cannot be the name of a label", name);
    }
  }
  const bool histogram = family->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM;
  if (histogram == buckets.empty() || !std::is_sorted(buckets.begin(), buckets.end())) {
    return InvalidArgument("metric '{}': histograms, and only they, need ascending buckets",
                           family->name);
  }
  std::sort(labels.begin(), labels.end());
  std::lock_guard lock(mutex_);
  auto [it, added] = family->series.try_emplace(labels);
  if (added && histogram) {
    it->second.bounds = buckets;
    it->second.counts.resize(buckets.size() + 1);
  }
  ++it->second.handle_count;
  return new TRITONSERVER_Metric{family, std::move(labels)};
}

void CustomMetrics::DeleteMetric(TRITONSERVER_Metric* metric) {
  {
    std::lock_guard lock(mutex_);
    const auto it = metric->family->series.find(metric->labels);
    if (it != metric->family->series.end() && --it->second.handle_count == 0) {
      metric->family->series.erase(it);
    }
  }
  delete metric;
}

Result<double> CustomMetrics::Value(const TRITONSERVER_Metric& metric) const {
  if (metric.family->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM) {
    return NotFor(*metric.family, "Value");
  }
  std::lock_guard lock(mutex_);
  return metric.family->series.at(metric.labels).value;
}

Status CustomMetrics::Increment(const TRITONSERVER_Metric& metric, double value) {
  if (metric.family->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM) {
    return NotFor(*metric.family, "Increment");
  }
  if (metric.family->kind == TRITONSERVER_METRIC_KIND_COUNTER && !(value >= 0)) {
    return InvalidArgument("counter '{}' can only grow", metric.family->name);
  }
  std::lock_guard lock(mutex_);
  metric.family->series.at(metric.labels).value += value;
  return OkStatus();
}

Status CustomMetrics::Set(const TRITONSERVER_Metric& metric, double value) {
  if (metric.family->kind != TRITONSERVER_METRIC_KIND_GAUGE) {
    return NotFor(*metric.family, "Set");
  }
  std::lock_guard lock(mutex_);
  metric.family->series.at(metric.labels).value = value;
  return OkStatus();
}

Status CustomMetrics::Observe(const TRITONSERVER_Metric& metric, double value) {
  if (metric.family->kind != TRITONSERVER_METRIC_KIND_HISTOGRAM) {
    return NotFor(*metric.family, "Observe");
  }
  std::lock_guard lock(mutex_);
  TRITONSERVER_MetricFamily::Series& series = metric.family->series.at(metric.labels);
  const auto bucket = std::lower_bound(series.bounds.begin(), series.bounds.end(), value);
  ++series.counts[static_cast<std::size_t>(bucket - series.bounds.begin())];
  series.value += value;
  return OkStatus();
}

void CustomMetrics::Collect(telemetry::PrometheusWriter& writer) const {
  std::lock_guard lock(mutex_);
  for (const TRITONSERVER_MetricFamily& family : families_) {
    if (family.series.empty()) {
      continue;
    }
    writer.Family(family.name, KindOf(family.kind), family.help);
    for (const auto& [labels, series] : family.series) {
      if (family.kind == TRITONSERVER_METRIC_KIND_HISTOGRAM) {
        writer.HistogramSample(labels, series.bounds, series.counts, series.value);
      } else {
        writer.Sample(labels, series.value);
      }
    }
  }
}

}  // namespace headrace::plugin

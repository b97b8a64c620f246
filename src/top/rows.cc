#include "top/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/metric_columns.h"

namespace headrace::top {
namespace {

struct Totals {
  double success = 0, success_ns = 0, fail = 0, inferences = 0, executions = 0;
  double queue_count = 0, queue_ns = 0, compute_ns = 0;
};

Totals TotalsOf(const Reading* reading, const std::string& model) {
  Totals totals;
  if (reading == nullptr) {
    return totals;
  }
  const auto found = reading->models.find(model);
  if (found == reading->models.end()) {
    return totals;
  }
  for (const load::ModelStatistics& one : found->second) {
    totals.success += static_cast<double>(one.success_count);
    totals.success_ns += static_cast<double>(one.success_ns);
    totals.fail += static_cast<double>(one.fail_count);
    totals.inferences += static_cast<double>(one.inference_count);
    totals.executions += static_cast<double>(one.execution_count);
    totals.queue_count += static_cast<double>(one.queue_count);
    totals.queue_ns += static_cast<double>(one.queue_ns);
    totals.compute_ns +=
        static_cast<double>(one.compute_input_ns + one.compute_infer_ns + one.compute_output_ns);
  }
  return totals;
}

Totals Between(const Totals& before, const Totals& after) {
  if (after.success < before.success || after.executions < before.executions) {
    return after;
  }
  return {after.success - before.success,
          after.success_ns - before.success_ns,
          after.fail - before.fail,
          after.inferences - before.inferences,
          after.executions - before.executions,
          after.queue_count - before.queue_count,
          after.queue_ns - before.queue_ns,
          after.compute_ns - before.compute_ns};
}

std::optional<double> Ratio(double value, double count) {
  return count > 0 ? std::optional(value / count) : std::nullopt;
}

// Of a summary in microseconds, in nanoseconds; versions have one each, and do not add up.
std::optional<double> SummaryQuantile(const load::MetricFamilies& families, std::string_view name,
                                      const std::string& model, std::string_view quantile) {
  std::optional<double> largest;
  if (const auto family = families.find(name); family != families.end()) {
    for (const load::MetricSample& sample : family->second.samples) {
      const std::string* of = sample.Label("model");
      const std::string* which = sample.Label("quantile");
      const bool is_it = of != nullptr && *of == model && which != nullptr && *which == quantile;
      if (is_it && std::isfinite(sample.value)) {
        largest = std::max(largest.value_or(0), sample.value * 1e3);
      }
    }
  }
  return largest;
}

// Gauges and histograms of the metrics page.
void AddMetrics(const load::MetricFamilies& before, const load::MetricFamilies& after,
                double seconds, ModelRow& row) {
  const load::MetricLabels labels = {{"model", row.model}};
  row.pending = load::SumOf(after, "nv_inference_pending_request_count", labels);
  if (!row.pending) {
    row.pending = load::SumOf(after, "headrace_queue_depth", labels);
  }
  row.instances = load::SumOf(after, "headrace_instances_ready", labels);
  const auto percentile = [&](std::string_view histogram, double which) {
    const double value = bench::HistogramPercentile(before, after, histogram, row.model, which);
    return value < 0 ? std::nullopt : std::optional(value * 1e9);
  };
  row.latency_p50 = percentile("headrace_request_duration_seconds", 50);
  row.latency_p99 = percentile("headrace_request_duration_seconds", 99);
  if (!row.latency_p99) {
    constexpr std::string_view kSummary = "nv_inference_request_summary_us";
    row.latency_p50 = SummaryQuantile(after, kSummary, row.model, "0.5");
    row.latency_p99 = SummaryQuantile(after, kSummary, row.model, "0.99");
  }
  row.queue_p99 = percentile("headrace_request_queue_seconds", 99);
  row.execute_p50 = percentile("headrace_request_execute_seconds", 50);
  row.execute_p99 = percentile("headrace_request_execute_seconds", 99);
  const std::string_view sum = "headrace_request_execute_seconds_sum";
  if (const auto now = load::SumOf(after, sum, labels); now && seconds > 0) {
    const double earlier = load::SumOf(before, sum, labels).value_or(0);
    row.busy = (*now >= earlier ? *now - earlier : *now) / seconds;
  }
}

std::optional<double> FigureOf(const ModelRow& row, SortKey key) {
  switch (key) {
    case SortKey::kRate:
      return row.rate;
    case SortKey::kLatency:
      return row.latency_p99 ? row.latency_p99 : row.latency_mean;
    case SortKey::kQueue:
      return row.queue_mean;
    case SortKey::kPending:
      return row.pending;
    case SortKey::kBatch:
      return row.batch_mean;
    case SortKey::kBusy:
      return row.busy;
    case SortKey::kFailures:
      return row.failure_rate;
    case SortKey::kName:
      break;
  }
  return std::nullopt;
}

constexpr std::string_view kSortKeyNames[kSortKeyCount] = {
    "name", "rate", "latency", "queue", "pending", "batch", "busy", "failures"};

}  // namespace

std::vector<ModelRow> RowsBetween(const Reading* before, const Reading& after) {
  static const load::MetricFamilies kNone;
  std::vector<ModelRow> rows;
  const double seconds =
      before == nullptr ? 0 : static_cast<double>(after.at - before->at) / kSecond;
  for (const auto& [model, versions] : after.models) {
    ModelRow row;
    row.model = model;
    const Totals grown = Between(TotalsOf(before, model), TotalsOf(&after, model));
    if (seconds > 0) {
      row.rate = grown.success / seconds;
      row.inference_rate = grown.inferences / seconds;
      row.failure_rate = grown.fail / seconds;
    }
    row.latency_mean = Ratio(grown.success_ns, grown.success);
    row.queue_mean = Ratio(grown.queue_ns, grown.queue_count);
    row.batch_mean = Ratio(grown.inferences, grown.executions);
    AddMetrics(before == nullptr ? kNone : before->metrics, after.metrics, seconds, row);
    if (!row.execute_p99) {
      row.execute_mean = Ratio(grown.compute_ns, grown.success);
    }
    if (!row.busy && seconds > 0 && row.batch_mean) {
      // Every request of a batch counts the whole execution.
      row.busy = grown.compute_ns / 1e9 / seconds / std::max(1.0, *row.batch_mean);
      row.busy_estimated = true;
    }
    if (const auto state = after.not_ready.find(model); state != after.not_ready.end()) {
      row.state = state->second;
    }
    rows.push_back(std::move(row));
  }
  for (const auto& [model, state] : after.not_ready) {
    if (after.models.count(model) == 0) {
      rows.push_back({});
      rows.back().model = model;
      rows.back().state = state;
    }
  }
  return rows;
}

std::string_view SortKeyName(SortKey key) { return kSortKeyNames[static_cast<int>(key)]; }

Result<SortKey> ParseSortKey(std::string_view name) {
  for (int i = 0; i < kSortKeyCount; ++i) {
    if (name == kSortKeyNames[i]) {
      return static_cast<SortKey>(i);
    }
  }
  return InvalidArgument("--sort: '{}' is none of {}", name, fmt::join(kSortKeyNames, ", "));
}

void SortRows(std::vector<ModelRow>& rows, SortKey key) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ModelRow& a, const ModelRow& b) { return a.model < b.model; });
  if (key != SortKey::kName) {
    constexpr double kUnknown = -std::numeric_limits<double>::infinity();
    std::stable_sort(rows.begin(), rows.end(), [&](const ModelRow& a, const ModelRow& b) {
      return FigureOf(a, key).value_or(kUnknown) > FigureOf(b, key).value_or(kUnknown);
    });
  }
}

}  // namespace headrace::top

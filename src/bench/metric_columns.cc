#include "bench/metric_columns.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace headrace::bench {
namespace {

// Metric of the log -> its column; the first four have percentiles, too.
struct Source {
  std::string_view metric, mean, percentiles;
};
constexpr Source kSources[] = {
    {"PredictionTime", "predict_mean", "Model_"},
    {"HandlerTime", "handler_time_mean", ""},
    {"QueueTime", "waiting_time_mean", "Queue time "},
    {"WorkerThreadTime", "worker_thread_mean", ""},
    {"CPUUtilization", "cpu_percentage_mean", ""},
    {"MemoryUtilization", "memory_percentage_mean", ""},
    {"GPUUtilization", "gpu_percentage_mean", ""},
    {"GPUMemoryUtilization", "gpu_memory_percentage_mean", ""},
    {"GPUMemoryUsed", "gpu_memory_used_mean", ""},
    {"ts_handler_preprocess", "handler_preprocess_mean", ""},
    {"ts_handler_inference", "handler_inference_mean", ""},
    {"ts_handler_postprocess", "handler_postprocess_mean", ""},
};

bool IsOfRequests(std::string_view metric) {
  return metric.ends_with("Time") || metric.starts_with("ts_handler");
}

double PercentileOf(std::vector<double> values, double percentile) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(percentile / 100 * static_cast<double>(values.size())));
  const std::size_t index = std::min(values.size() - 1, rank == 0 ? 0 : rank - 1);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

void MetricLineCollector::Take(std::string_view line) {
  for (const Source& source : kSources) {
    const std::size_t at = line.find(source.metric);
    if (at == std::string_view::npos || (at > 0 && std::isalnum(line[at - 1]) != 0)) {
      continue;
    }
    // "Name.Unit:value|"
    const std::string_view rest = line.substr(at + source.metric.size());
    const std::size_t colon = rest.find(':');
    const std::size_t bar = rest.find('|');
    if (!rest.starts_with('.') || colon == std::string_view::npos ||
        bar == std::string_view::npos || bar < colon) {
      continue;
    }
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data() + colon + 1, rest.data() + bar, value);
    if (error != std::errc() || end != rest.data() + bar || !std::isfinite(value)) {
      continue;
    }
    const std::lock_guard lock(mutex_);
    std::vector<double>& values = values_[std::string(source.metric)];
    if (values.size() == kValuesMax) {
      values.erase(values.begin(), values.begin() + kValuesMax / 2);
    }
    values.push_back(value);
    return;
  }
}

void MetricLineCollector::Clear() {
  const std::lock_guard lock(mutex_);
  values_.clear();
}

MetricColumns MetricLineCollector::Columns(std::uint64_t request_count) const {
  const std::lock_guard lock(mutex_);
  MetricColumns columns;
  const auto queue = values_.find("QueueTime");
  const double share = queue == values_.end() || queue->second.empty()
                           ? 1
                           : std::min(1.0, static_cast<double>(request_count) /
                                               static_cast<double>(queue->second.size()));
  for (const Source& source : kSources) {
    const auto found = values_.find(source.metric);
    if (found == values_.end() || found->second.empty()) {
      continue;
    }
    std::vector<double> values = found->second;
    if (IsOfRequests(source.metric)) {
      const auto kept = std::max<std::size_t>(
          1, static_cast<std::size_t>(std::llround(share * static_cast<double>(values.size()))));
      values.erase(values.begin(), values.end() - static_cast<std::ptrdiff_t>(kept));
    }
    columns[std::string(source.mean)] = Mean(values);
    if (!source.percentiles.empty()) {
      for (const int percentile : {50, 90, 99}) {
        columns[std::string(source.percentiles) + "p" + std::to_string(percentile)] =
            PercentileOf(values, percentile);
      }
    }
  }
  return columns;
}

double HistogramPercentile(const load::MetricFamilies& before, const load::MetricFamilies& after,
                           std::string_view name, const std::string& model, double percentile) {
  const std::string bucket = std::string(name) + "_bucket";
  std::map<double, double> counts;  // by upper bound, cumulative
  const auto add = [&](const load::MetricFamilies& families, double sign) {
    const auto family = families.find(name);
    if (family == families.end()) {
      return;
    }
    for (const load::MetricSample& sample : family->second.samples) {
      const std::string* bound = sample.Label("le");
      const std::string* of = sample.Label("model");
      if (sample.name != bucket || bound == nullptr || of == nullptr || *of != model) {
        continue;
      }
      double le = std::numeric_limits<double>::infinity();
      if (*bound != "+Inf") {
        const auto [end, error] = std::from_chars(bound->data(), bound->data() + bound->size(), le);
        if (error != std::errc()) {
          continue;
        }
      }
      counts[le] += sign * sample.value;
    }
  };
  add(after, 1);
  add(before, -1);
  if (counts.empty() || counts.rbegin()->second <= 0) {
    return -1;
  }
  const double wanted = percentile / 100 * counts.rbegin()->second;
  double below = 0, count_below = 0;
  for (const auto& [bound, count] : counts) {
    if (count >= wanted) {
      if (std::isinf(bound) || count <= count_below) {
        return below;
      }
      return below + (bound - below) * (wanted - count_below) / (count - count_below);
    }
    below = bound;
    count_below = count;
  }
  return below;
}

MetricColumns ColumnsBetween(const load::MetricFamilies& before, const load::MetricFamilies& after,
                             const std::string& model) {
  MetricColumns columns;
  constexpr std::pair<std::string_view, std::string_view> kHistograms[] = {
      {"headrace_request_queue_seconds", "Queue time p"},
      {"headrace_request_execute_seconds", "Model_p"},
  };
  for (const auto& [histogram, column] : kHistograms) {
    for (const int percentile : {50, 90, 99}) {
      const double seconds = HistogramPercentile(before, after, histogram, model, percentile);
      if (seconds >= 0) {
        columns[std::string(column) + std::to_string(percentile)] = seconds * 1000;
      }
    }
  }
  const load::MetricLabels labels = {{"model", model}};
  const auto grown = [&](std::string_view name) {
    const auto now = load::SumOf(after, name, labels);
    return now ? std::optional(*now - load::SumOf(before, name, labels).value_or(0)) : now;
  };
  const auto requests = grown("nv_inference_request_success");
  if (!requests || *requests <= 0) {
    return columns;
  }
  if (const auto queue = grown("nv_inference_queue_duration_us")) {
    columns["waiting_time_mean"] = *queue / *requests / 1000;
  }
  if (const auto infer = grown("nv_inference_compute_infer_duration_us")) {
    columns["predict_mean"] = *infer / *requests / 1000;
    columns["handler_time_mean"] =
        (*infer + grown("nv_inference_compute_input_duration_us").value_or(0) +
         grown("nv_inference_compute_output_duration_us").value_or(0)) /
        *requests / 1000;
  }
  return columns;
}

}  // namespace headrace::bench

#include "frontend/model_metrics.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "engine/model_key.h"

namespace headrace::frontend {
namespace {

using telemetry::Labels;
using telemetry::MetricKind;
using telemetry::PrometheusWriter;

// One model version as the page sees it: read once, so that its families agree with each other.
struct Row {
  engine::ModelHandle model;
  engine::StatisticsSnapshot statistics;
  Labels labels;
};

constexpr std::pair<engine::FailureReason, const char*> kFailureReasons[] = {
    {engine::FailureReason::kOther, "OTHER"},
    {engine::FailureReason::kBackend, "BACKEND"},
    {engine::FailureReason::kCanceled, "CANCELED"},
    {engine::FailureReason::kRejected, "REJECTED"},
};

// 10 us to 30 s, in nanoseconds.
constexpr std::uint64_t kStageBounds[] = {
    10'000,        25'000,        50'000,        100'000,        250'000,
    500'000,       1'000'000,     2'500'000,     5'000'000,      10'000'000,
    25'000'000,    50'000'000,    100'000'000,   250'000'000,    500'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000, 30'000'000'000};
// 10 us to 63 s, five to a decade: percentiles of whole requests are read from them.
constexpr std::uint64_t kRequestBounds[] = {
    10'000,         16'000,         25'000,         40'000,         63'000,        100'000,
    160'000,        250'000,        400'000,        630'000,        1'000'000,     1'600'000,
    2'500'000,      4'000'000,      6'300'000,      10'000'000,     16'000'000,    25'000'000,
    40'000'000,     63'000'000,     100'000'000,    160'000'000,    250'000'000,   400'000'000,
    630'000'000,    1'000'000'000,  1'600'000'000,  2'500'000'000,  4'000'000'000, 6'300'000'000,
    10'000'000'000, 16'000'000'000, 25'000'000'000, 40'000'000'000, 63'000'000'000};
constexpr std::uint64_t kBatchSizeBounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
constexpr double kSecondsPerNano = 1e-9;

Labels LabelsOf(std::string_view name_space, std::string_view name, std::string_view version) {
  Labels labels{{"model", std::string(name)}};
  if (!name_space.empty()) {
    labels.emplace_back("namespace", name_space);
  }
  labels.emplace_back("version", version);
  return labels;
}

Labels LabelsOf(const engine::Model& model) {
  Labels labels = LabelsOf(model.name_space(), model.name(), std::to_string(model.version()));
  for (const auto& [tag, value] : model.options().metric_tags) {
    labels.emplace_back("_" + tag, value);
  }
  return labels;
}

std::vector<Row> ReadRows(const engine::RegistrySnapshot& models) {
  std::vector<Row> rows;
  for (const auto& [name, entry] : models.models()) {
    for (const auto& [version, state] : entry->versions) {
      if (state.model != nullptr) {
        rows.push_back({state.model, state.model->statistics().Read(), LabelsOf(*state.model)});
      }
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    const auto key = [](const Row& row) {
      const engine::Model& model = *row.model;
      return std::tuple(std::string_view(model.name()), std::string_view(model.name_space()),
                        model.version());
    };
    return key(a) < key(b);
  });
  return rows;
}

Labels With(Labels labels, std::string_view name, std::string_view value) {
  labels.emplace_back(name, value);
  return labels;
}

template <typename Value>
void Write(PrometheusWriter& writer, const std::vector<Row>& rows, std::string_view name,
           MetricKind kind, std::string_view help, Value value) {
  writer.Family(name, kind, help);
  for (const Row& row : rows) {
    writer.Sample(row.labels, static_cast<std::uint64_t>(value(row)));
  }
}

void WriteFailures(PrometheusWriter& writer, const std::vector<Row>& rows) {
  writer.Family("nv_inference_request_failure", MetricKind::kCounter,
                "Number of failed inference requests, all batch sizes");
  for (const Row& row : rows) {
    for (const auto& [reason, text] : kFailureReasons) {
      writer.Sample(With(row.labels, "reason", text),
                    row.statistics.failures_by_reason[static_cast<std::size_t>(reason)]);
    }
  }
}

// For models with a response cache only.
void WriteCacheFamilies(PrometheusWriter& writer, const std::vector<Row>& rows) {
  std::vector<Row> cached;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(cached),
               [](const Row& row) { return row.model->options().cache != nullptr; });
  if (cached.empty()) {
    return;
  }
  Write(writer, cached, "nv_cache_num_hits_per_model", MetricKind::kCounter,
        "Number of cache hits per model",
        [](const Row& row) { return row.statistics.cache_hit.count; });
  Write(writer, cached, "nv_cache_num_misses_per_model", MetricKind::kCounter,
        "Number of cache misses per model",
        [](const Row& row) { return row.statistics.cache_miss.count; });
  Write(writer, cached, "nv_cache_hit_duration_per_model", MetricKind::kCounter,
        "Total cache hit duration per model, in microseconds",
        [](const Row& row) { return row.statistics.cache_hit.ns / 1000; });
  Write(writer, cached, "nv_cache_miss_duration_per_model", MetricKind::kCounter,
        "Total cache miss (insert+lookup) duration per model, in microseconds",
        [](const Row& row) { return row.statistics.cache_miss.ns / 1000; });
}

void WriteTritonFamilies(PrometheusWriter& writer, const std::vector<Row>& rows) {
  constexpr auto kCounter = MetricKind::kCounter;
  const auto micros = [](const engine::CountAndDuration& duration) { return duration.ns / 1000; };
  Write(writer, rows, "nv_inference_request_success", kCounter,
        "Number of successful inference requests, all batch sizes",
        [](const Row& row) { return row.statistics.success.count; });
  WriteFailures(writer, rows);
  Write(writer, rows, "nv_inference_count", kCounter,
        "Number of inferences performed (does not include cached requests)",
        [](const Row& row) { return row.statistics.inference_count; });
  Write(writer, rows, "nv_inference_exec_count", kCounter,
        "Number of model executions performed (does not include cached requests)",
        [](const Row& row) { return row.statistics.execution_count; });
  Write(writer, rows, "nv_inference_request_duration_us", kCounter,
        "Cumulative inference request duration in microseconds (includes cached requests)",
        [&](const Row& row) { return micros(row.statistics.success); });
  Write(writer, rows, "nv_inference_queue_duration_us", kCounter,
        "Cumulative inference queuing duration in microseconds (includes cached requests)",
        [&](const Row& row) { return micros(row.statistics.queue); });
  Write(writer, rows, "nv_inference_compute_input_duration_us", kCounter,
        "Cumulative compute input duration in microseconds (does not include cached requests)",
        [&](const Row& row) { return micros(row.statistics.compute_input); });
  Write(writer, rows, "nv_inference_compute_infer_duration_us", kCounter,
        "Cumulative compute inference duration in microseconds (does not include cached requests)",
        [&](const Row& row) { return micros(row.statistics.compute_infer); });
  Write(writer, rows, "nv_inference_compute_output_duration_us", kCounter,
        "Cumulative inference compute output duration in microseconds (does not include cached "
        "requests)",
        [&](const Row& row) { return micros(row.statistics.compute_output); });
  Write(writer, rows, "nv_inference_pending_request_count", MetricKind::kGauge,
        "Instantaneous number of pending requests awaiting execution per-model.",
        [](const Row& row) { return row.model->pending_count(); });
  writer.Family("nv_model_load_duration_secs", MetricKind::kGauge, "Model load time in seconds");
  for (const Row& row : rows) {
    writer.Sample(row.labels,
                  static_cast<double>(row.model->statistics().load_duration()) * kSecondsPerNano);
  }
}

// Only of models that batch sequences.
void WriteSequences(PrometheusWriter& writer, const std::vector<Row>& rows) {
  std::vector<std::pair<const Row*, engine::SequenceFigures>> figures;
  for (const Row& row : rows) {
    if (const auto of_row = row.model->sequence_figures()) {
      figures.emplace_back(&row, *of_row);
    }
  }
  if (figures.empty()) {
    return;
  }
  writer.Family("headrace_sequences_live", MetricKind::kGauge, "Sequences that have a slot");
  for (const auto& [row, of_row] : figures) {
    writer.Sample(row->labels, of_row.live);
  }
  writer.Family("headrace_sequences_backlog", MetricKind::kGauge, "Sequences that wait for a slot");
  for (const auto& [row, of_row] : figures) {
    writer.Sample(row->labels, of_row.backlog);
  }
  writer.Family("headrace_sequences_started_total", MetricKind::kCounter, "Sequences begun");
  for (const auto& [row, of_row] : figures) {
    writer.Sample(row->labels, of_row.started);
  }
  writer.Family("headrace_sequences_ended_total", MetricKind::kCounter,
                "Sequences over, by what ended them");
  for (const auto& [row, of_row] : figures) {
    writer.Sample(With(row->labels, "reason", "END"), of_row.ended);
    writer.Sample(With(row->labels, "reason", "IDLE"), of_row.idled);
    writer.Sample(With(row->labels, "reason", "CANCELED"), of_row.cancelled);
    writer.Sample(With(row->labels, "reason", "TIMEOUT"), of_row.expired);
  }
}

using HistogramOf = const telemetry::Histogram& (engine::ModelStatistics::*)() const;

void WriteHistogram(PrometheusWriter& writer, const std::vector<Row>& rows, std::string_view name,
                    std::string_view help, HistogramOf histogram_of,
                    std::span<const std::uint64_t> bounds, double scale) {
  writer.Family(name, MetricKind::kHistogram, help);
  for (const Row& row : rows) {
    const telemetry::Histogram& histogram = (row.model->statistics().*histogram_of)();
    if (histogram.count() > 0) {
      writer.HistogramSample(row.labels, histogram, bounds, scale);
    }
  }
}

void WriteRejections(PrometheusWriter& writer, const std::vector<Row>& rows,
                     const RefusalLedger& refusals) {
  writer.Family(
      "headrace_rejections_total", MetricKind::kCounter,
      "Requests refused before execution, by reason; a model that does not exist has empty "
      "labels");
  for (const Row& row : rows) {
    writer.Sample(
        With(row.labels, "reason", "queue"),
        row.statistics
            .failures_by_reason[static_cast<std::size_t>(engine::FailureReason::kRejected)]);
  }
  for (const auto& [names, counts] : refusals.Read()) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] > 0) {
        const auto& [key, version] = names;
        writer.Sample(With(LabelsOf(engine::NamespaceOfKey(key), engine::NameOfKey(key), version),
                           "reason", RefusalReasonName(static_cast<RefusalReason>(i))),
                      counts[i]);
      }
    }
  }
}

void WriteHeadraceFamilies(PrometheusWriter& writer, const std::vector<Row>& rows,
                           const RefusalLedger& refusals) {
  using engine::ModelStatistics;
  Write(writer, rows, "headrace_requests_received_total", MetricKind::kCounter,
        "Requests submitted to the model", [](const Row& row) { return row.statistics.received; });
  WriteRejections(writer, rows, refusals);
  Write(writer, rows, "headrace_queue_depth", MetricKind::kGauge, "Requests waiting in queue",
        [](const Row& row) { return row.model->queue_depth(); });
  Write(writer, rows, "headrace_requests_in_flight", MetricKind::kGauge,
        "Requests accepted by the model and not yet ended",
        [](const Row& row) { return row.model->in_flight(); });
  Write(writer, rows, "headrace_model_ready", MetricKind::kGauge,
        "Whether an instance of the model can execute: 1, or 0",
        [](const Row& row) { return row.model->Health().ok(); });
  Write(writer, rows, "headrace_instances_ready", MetricKind::kGauge,
        "Instances of the model that can execute",
        [](const Row& row) { return row.model->ready_instance_count(); });
  Write(writer, rows, "headrace_batch_retries_total", MetricKind::kCounter,
        "Executions of parts of batches that had failed as a whole",
        [](const Row& row) { return row.statistics.batch_retries; });
  WriteHistogram(writer, rows, "headrace_request_duration_seconds",
                 "Time of a request that ended well, from its receipt to its end",
                 &ModelStatistics::duration_histogram, kRequestBounds, kSecondsPerNano);
  WriteHistogram(writer, rows, "headrace_request_queue_seconds",
                 "Time of a request from its queueing to its execution",
                 &ModelStatistics::queue_histogram, kStageBounds, kSecondsPerNano);
  WriteHistogram(writer, rows, "headrace_request_batch_wait_seconds",
                 "Time that the oldest request of a batch waited for the batch",
                 &ModelStatistics::batch_wait_histogram, kStageBounds, kSecondsPerNano);
  WriteHistogram(writer, rows, "headrace_request_execute_seconds",
                 "Time of an execution in the backend", &ModelStatistics::execute_histogram,
                 kStageBounds, kSecondsPerNano);
  WriteHistogram(writer, rows, "headrace_request_send_seconds",
                 "Time from the end of a request to its answer's hand-over to the kernel",
                 &ModelStatistics::send_histogram, kStageBounds, kSecondsPerNano);
  WriteHistogram(writer, rows, "headrace_batch_size", "Batch size of executions",
                 &ModelStatistics::batch_size_histogram, kBatchSizeBounds, 1.0);
}

}  // namespace

void CollectModelMetrics(const engine::RegistrySnapshot& models, const RefusalLedger& refusals,
                         PrometheusWriter& writer) {
  const std::vector<Row> rows = ReadRows(models);
  WriteTritonFamilies(writer, rows);
  WriteCacheFamilies(writer, rows);
  WriteSequences(writer, rows);
  WriteHeadraceFamilies(writer, rows, refusals);
}

}  // namespace headrace::frontend

#include "torchserve/metrics.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "torchserve/metric_line.h"
#include "torchserve/prediction_watch.h"

namespace headrace::torchserve {
namespace {

using telemetry::MetricKind;

constexpr std::string_view kOtherModels = "(other)";  // beyond model_count_max

std::int64_t UnixSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

double Milliseconds(Nanos time) { return static_cast<double>(time / kMicrosecond) / 1e3; }

// Metrics of models have the host's name as their last label, listed or not.
MetricsOptions WithHostname(MetricsOptions options) {
  for (MetricSpec& spec : options.catalog.model) {
    if (spec.dimensions.empty() || spec.dimensions.back() != kHostnameLabel) {
      spec.dimensions.emplace_back(kHostnameLabel);
    }
  }
  return options;
}

// The metric, if the catalogue has it with as many labels.
const MetricSpec* Counted(const MetricsCatalog& catalog, std::string_view name,
                          std::size_t dimension_count) {
  const MetricSpec* const spec = catalog.FindServer(name);
  if (spec != nullptr && spec->dimensions.size() != dimension_count) {
    HEADRACE_LOG_WARNING("metrics_config: '{}' has {} dimensions, not {}: it is left out", name,
                         spec->dimensions.size(), dimension_count);
    return nullptr;
  }
  return spec;
}

}  // namespace

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 && name[0] != 0 ? std::string(name.data())
                                                                        : "localhost";
}

Metrics::Metrics(MetricsOptions options, const engine::Registry& registry, LogLines* lines,
                 const Clock& clock)
    : options_(WithHostname(std::move(options))),
      registry_(registry),
      lines_(lines),
      clock_(clock),
      hostname_(options_.hostname.empty() ? HostName() : options_.hostname),
      answer_specs_{Counted(options_.catalog, "Requests2XX", 2),
                    Counted(options_.catalog, "Requests4XX", 2),
                    Counted(options_.catalog, "Requests5XX", 2)},
      requests_spec_(Counted(options_.catalog, "ts_inference_requests_total", 3)),
      latency_spec_(Counted(options_.catalog, "ts_inference_latency_microseconds", 3)),
      queue_spec_(Counted(options_.catalog, "ts_queue_latency_microseconds", 3)),
      queue_time_spec_(Counted(options_.catalog, "QueueTime", 2)),
      thread_time_spec_(Counted(options_.catalog, "WorkerThreadTime", 2)),
      server_table_(options_.series_count_max),
      model_table_(options_.series_count_max) {}

Metrics::~Metrics() = default;

void Metrics::CountAnswer(int status) {
  const std::size_t index = status >= 200 && status < 300   ? 0
                            : status >= 400 && status < 500 ? 1
                                                            : 2;
  answers_[index].count.fetch_add(1, std::memory_order_relaxed);
  LogServer(answer_specs_[index], {"Host"}, 1.0);
}

void Metrics::LogServer(const MetricSpec* spec, std::initializer_list<std::string_view> values,
                        double value) {
  if (lines_ == nullptr || spec == nullptr) {
    return;
  }
  std::vector<std::pair<std::string_view, std::string_view>> dimensions;
  for (const std::string_view text : values) {
    dimensions.emplace_back(spec->dimensions[dimensions.size()], text);
  }
  lines_->Write(
      LogName::kTsMetrics, LogLevel::kInfo, {},
      FormatMetricLine(spec->name, spec->unit, value, dimensions, hostname_, {}, UnixSeconds()));
}

Metrics::ModelCells& Metrics::CellsOf(std::string_view model, std::string_view version) {
  std::string key;
  key.reserve(model.size() + 1 + version.size());
  key.append(model).append(1, '\0').append(version);
  {
    std::shared_lock lock(cells_mutex_);
    if (const auto found = cells_by_key_.find(key); found != cells_by_key_.end()) {
      return *found->second;
    }
  }
  std::unique_lock lock(cells_mutex_);
  if (const auto found = cells_by_key_.find(key); found != cells_by_key_.end()) {
    return *found->second;
  }
  if (cells_.size() >= options_.model_count_max) {
    if (cells_.back().model != kOtherModels) {
      ModelCells& others = cells_.emplace_back();
      others.model = others.version = kOtherModels;
    }
    return cells_.back();
  }
  ModelCells& cells = cells_.emplace_back();
  cells.model = model;
  cells.version = version;
  cells_by_key_.emplace(std::move(key), &cells);
  return cells;
}

void Metrics::WatchPrediction(std::string_view model, std::string_view version,
                              frontend::InferSubmission& submission,
                              std::unique_ptr<engine::ResponseSink>& sink) {
  ModelCells& cells = CellsOf(model, version.empty() ? "default" : version);
  cells.requests.fetch_add(1, std::memory_order_relaxed);
  LogServer(requests_spec_, {cells.model, cells.version}, 1.0);
  auto watch = std::make_shared<PredictionWatch>(*this, cells, submission.received);
  submission.observer = watch;
  sink = std::make_unique<WatchedSink>(std::move(sink), std::move(watch), clock_);
}

void Metrics::PredictionEnded(ModelCells& cells, Nanos latency, Nanos queue, Nanos overhead) {
  const auto add = [](std::atomic<std::uint64_t>& cell, Nanos time) {
    cell.fetch_add(static_cast<std::uint64_t>(time), std::memory_order_relaxed);
  };
  latency = std::max<Nanos>(0, latency);
  cells.answered.fetch_add(1, std::memory_order_relaxed);
  add(cells.latency_ns, latency);
  add(cells.queue_ns, queue);
  cells.latency.Record(static_cast<std::uint64_t>(latency));
  cells.queue.Record(static_cast<std::uint64_t>(queue));
  queue_time_ms_.store(Milliseconds(queue), std::memory_order_relaxed);
  thread_time_ms_.store(Milliseconds(overhead), std::memory_order_relaxed);
  const std::initializer_list<std::string_view> names = {cells.model, cells.version};
  LogServer(latency_spec_, names, static_cast<double>(latency) / 1e3);
  LogServer(queue_spec_, names, static_cast<double>(queue) / 1e3);
  LogServer(queue_time_spec_, {"Host"}, Milliseconds(queue));
  LogServer(thread_time_spec_, {"Host"}, Milliseconds(overhead));
}

const MetricSpec* Metrics::SpecOf(const MetricLine& line) {
  if (const MetricSpec* const listed = options_.catalog.FindModel(line.name)) {
    return listed;
  }
  if (!options_.model_metrics_auto_detect || !line.kind || !IsMetricName(line.name) ||
      options_.catalog.FindServer(line.name) != nullptr) {
    return nullptr;
  }
  std::lock_guard lock(detected_mutex_);
  for (const MetricSpec& spec : detected_) {
    if (spec.name == line.name) {
      return &spec;
    }
  }
  MetricSpec spec{std::string(line.name), std::string(line.unit), *line.kind, {}};
  for (const auto& [name, value] : line.dimensions) {
    spec.dimensions.emplace_back(name);
  }
  spec.dimensions.emplace_back(kHostnameLabel);
  if (detected_.size() >= MetricsCatalog::kMetricCountMax ||
      !std::all_of(spec.dimensions.begin(), spec.dimensions.end(), IsLabelName)) {
    return nullptr;
  }
  return &detected_.emplace_back(std::move(spec));
}

void Metrics::OnMetricLine(std::string_view text) {
  const Result<MetricLine> line = ParseMetricLine(text);
  if (!line.ok()) {
    HEADRACE_LOG_VERBOSE("a handler's metric is left out: {}", line.status().message());
    return;
  }
  const MetricSpec* const spec = SpecOf(*line);
  // Values are taken by their places, as TorchServe takes them.
  if (spec == nullptr || line->dimensions.size() + 1 != spec->dimensions.size()) {
    return;
  }
  std::vector<std::string> values;
  std::vector<std::pair<std::string_view, std::string_view>> dimensions;
  for (const auto& [name, value] : line->dimensions) {
    dimensions.emplace_back(spec->dimensions[values.size()], value);
    values.emplace_back(value);
  }
  values.push_back(hostname_);
  if (model_table_.Update(*spec, values, line->value) && lines_ != nullptr) {
    lines_->Write(LogName::kModelMetrics, LogLevel::kInfo, {},
                  FormatMetricLine(spec->name, spec->unit, line->value, dimensions, hostname_,
                                   line->request_ids, line->timestamp_s));
  }
}

void Metrics::Update(std::string_view name, std::vector<std::string> values, double value) {
  const MetricSpec* const spec = options_.catalog.FindServer(name);
  if (spec == nullptr || spec->dimensions.size() != values.size() + 1) {
    return;
  }
  if (lines_ != nullptr) {
    std::vector<std::pair<std::string_view, std::string_view>> dimensions;
    for (const std::string& text : values) {
      dimensions.emplace_back(spec->dimensions[dimensions.size()], text);
    }
    lines_->Write(
        LogName::kTsMetrics, LogLevel::kInfo, {},
        FormatMetricLine(spec->name, spec->unit, value, dimensions, hostname_, {}, UnixSeconds()));
  }
  values.push_back(hostname_);
  server_table_.Update(*spec, values, value);
}

void Metrics::SetWorkers(std::function<std::vector<LoadedWorker>()> workers) {
  workers_ = std::move(workers);
}

void Metrics::LookAtWorkers() {
  if (!workers_) {
    return;
  }
  std::lock_guard lock(workers_mutex_);
  std::vector<std::string> seen;
  for (const LoadedWorker& worker : workers_()) {
    if (std::find(seen_workers_.begin(), seen_workers_.end(), worker.name) == seen_workers_.end()) {
      Update("WorkerLoadTime", {worker.name, "Host"}, worker.load_time_ms);
    }
    seen.push_back(worker.name);
  }
  seen_workers_ = std::move(seen);
}

}  // namespace headrace::torchserve

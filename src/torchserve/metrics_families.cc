// What the page of torchserve/metrics.h shows.
#include "torchserve/metrics.h"

namespace headrace::torchserve {
namespace {

using telemetry::MetricKind;

double Sum(const std::atomic<std::uint64_t>& cell) {
  return static_cast<double>(cell.load(std::memory_order_relaxed));
}

bool IsTsCounter(std::string_view name) {
  return name == "ts_inference_requests_total" || name == "ts_inference_latency_microseconds" ||
         name == "ts_queue_latency_microseconds";
}

const std::vector<std::string>& ModelLabels() {
  static const std::vector<std::string> labels = {"model_name", "model_version", "hostname"};
  return labels;
}

}  // namespace

// Families whose values are counted in cells of their own. False for any other.
bool Metrics::WriteCounted(const MetricSpec& spec, MetricsPage& page) const {
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    if (answer_specs_[i] == &spec) {
      page.Family(spec);
      if (const double count = Sum(answers_[i].count); count > 0) {
        page.Sample(spec.dimensions, std::vector<std::string>{"Host", hostname_}, count);
      }
      return true;
    }
  }
  if (&spec == queue_time_spec_ || &spec == thread_time_spec_) {
    page.Family(spec);
    const auto& last = &spec == queue_time_spec_ ? queue_time_ms_ : thread_time_ms_;
    if (const double value = last.load(std::memory_order_relaxed); value >= 0) {
      page.Sample(spec.dimensions, std::vector<std::string>{"Host", hostname_}, value);
    }
    return true;
  }
  if (&spec != requests_spec_ && &spec != latency_spec_ && &spec != queue_spec_) {
    return false;
  }
  page.Family(spec);
  std::shared_lock lock(cells_mutex_);
  for (const ModelCells& cells : cells_) {
    const std::vector<std::string> labels = {cells.model, cells.version, hostname_};
    if (&spec == requests_spec_) {
      page.Sample(spec.dimensions, labels, Sum(cells.requests));
    } else if (Sum(cells.answered) > 0) {
      page.Sample(spec.dimensions, labels,
                  Sum(&spec == latency_spec_ ? cells.latency_ns : cells.queue_ns) / 1e3);
    }
  }
  return true;
}

void Metrics::WriteServer(MetricsPage& page) const {
  for (const MetricSpec& spec : options_.catalog.server) {
    if (options_.mode == MetricsMode::kLegacy && !IsTsCounter(spec.name)) {
      continue;
    }
    if (!WriteCounted(spec, page)) {
      server_table_.Write(spec, page);
    }
  }
}

void Metrics::WriteModels(MetricsPage& page) const {
  for (const MetricSpec& spec : options_.catalog.model) {
    model_table_.Write(spec, page);
  }
  std::lock_guard lock(detected_mutex_);
  for (const MetricSpec& spec : detected_) {
    model_table_.Write(spec, page);
  }
}

// What TorchServe's users asked for and it does not have (contracts, TorchServe 11.1).
void Metrics::WriteAdditional(MetricsPage& page) const {
  const auto histogram = [&](std::string_view name, std::string_view help,
                             telemetry::Histogram ModelCells::*member) {
    page.Family(name, MetricKind::kHistogram, help);
    for (const ModelCells& cells : cells_) {
      if (Sum(cells.answered) > 0) {
        page.Histogram(ModelLabels(),
                       std::vector<std::string>{cells.model, cells.version, hostname_},
                       cells.*member);
      }
    }
  };
  {
    std::shared_lock lock(cells_mutex_);
    histogram("ts_inference_duration_seconds",
              "Time from a request's arrival to its answer, with its time in the queue",
              &ModelCells::latency);
    histogram("ts_queue_duration_seconds", "Time from a request's arrival to its execution",
              &ModelCells::queue);
  }
  page.Family("ts_queue_depth", MetricKind::kGauge, "Requests that wait for a worker");
  for (const auto& [key, entry] : registry_.Load()->models()) {
    for (const auto& [number, version] : entry->versions) {
      if (version.model != nullptr) {
        const std::string& name = version.model->options().version_name;
        page.Sample(
            ModelLabels(),
            std::vector<std::string>{version.model->name(),
                                     name.empty() ? std::to_string(number) : name, hostname_},
            static_cast<double>(version.model->pending_count()));
      }
    }
  }
  page.Family("ts_metrics_dropped_total", MetricKind::kCounter,
              "Updates of metrics that were dropped: too many series, wrong labels, or a counter "
              "that shrinks");
  page.Sample({}, {},
              static_cast<double>(server_table_.dropped_count() + model_table_.dropped_count()));
}

void Metrics::SetOwnPage(std::function<std::string()> own_page) { own_page_ = std::move(own_page); }

std::string Metrics::Page(const MetricNames& names) {
  MetricsPage page(names);
  if (options_.mode != MetricsMode::kLog) {
    LookAtWorkers();
    WriteServer(page);
  }
  if (options_.mode == MetricsMode::kPrometheus) {
    WriteModels(page);
    WriteAdditional(page);
  }
  if (own_page_) {
    page.Append(own_page_());
  }
  return page.Take();
}

}  // namespace headrace::torchserve

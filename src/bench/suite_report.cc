#include "bench/suite_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

constexpr const char* kColumns[] = {"Benchmark",
                                    "TS failed requests",
                                    "TS throughput",
                                    "TS latency P50",
                                    "TS latency P90",
                                    "TS latency P99",
                                    "TS latency mean",
                                    "TS error rate",
                                    "Batch size",
                                    "Batch delay",
                                    "Workers",
                                    "Model",
                                    "Concurrency",
                                    "Input",
                                    "Requests",
                                    "Model_p50",
                                    "Model_p90",
                                    "Model_p99",
                                    "Queue time p50",
                                    "Queue time p90",
                                    "Queue time p99",
                                    "predict_mean",
                                    "handler_time_mean",
                                    "waiting_time_mean",
                                    "worker_thread_mean",
                                    "cpu_percentage_mean",
                                    "memory_percentage_mean",
                                    "gpu_percentage_mean",
                                    "gpu_memory_percentage_mean",
                                    "gpu_memory_used_mean"};
constexpr const char* kProfilingColumns[] = {"handler_preprocess_mean", "handler_inference_mean",
                                             "handler_postprocess_mean"};

double Milliseconds(double nanos) { return nanos / 1e6; }

// A percentile that fell among the timeouts has no number; the largest that was seen stands for it.
double PercentileMs(const LatencyFigures& figures, double percentile) {
  const double value = figures.Percentile(percentile).value;
  return Milliseconds(std::isfinite(value) ? value : static_cast<double>(figures.histogram.max()));
}

double Column(const PointResult& result, const std::string& column) {
  const auto found = result.columns.find(column);
  return found == result.columns.end() ? 0.0 : found->second;
}

std::string Gauge(const PointResult& result, const std::string& column, const char* gauge,
                  double factor) {
  const auto found = result.level.gauges.find(gauge);
  const double value = Column(result, column);
  return fmt::format("{:.2f}", value == 0 && found != result.level.gauges.end()
                                   ? found->second.mean * factor
                                   : value);
}

std::string Delay(const SuitePoint& point) {
  const double ms = static_cast<double>(point.change.queue_delay_us.value_or(0)) / 1000;
  return ms == std::floor(ms) ? fmt::format("{:.0f}", ms) : fmt::format("{}", ms);
}

std::string Load(const SuitePoint& point) {
  const load::ArrivalSpec& load = point.level.arrivals;
  return load.open() ? fmt::format("{} req/s", load.rate) : std::to_string(load.concurrency);
}

std::string InputCell(const SuiteModel& model) {
  if (model.inputs.empty() || model.inputs.front() == "random" || model.inputs.front() == "zero") {
    return model.inputs.empty() ? "random" : model.inputs.front();
  }
  return fmt::format("[input]({})", model.inputs.front());
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string MarkdownCell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    cell += c == '\n' ? "<br>" : c == '|' ? "\\|" : std::string(1, c);
  }
  return cell;
}

bool Profiled(const SuiteSpec& spec) {
  return std::any_of(spec.models.begin(), spec.models.end(),
                     [](const SuiteModel& model) { return model.handler_profiling; });
}

std::string Joined(const std::vector<std::string>& cells, const char* between) {
  return fmt::format("{}", fmt::join(cells, between));
}

void AppendTable(const SuiteSpec& spec, const std::vector<SuiteRow>& rows, std::size_t model,
                 const std::string& version, std::string& text) {
  const bool profiled = spec.models[model].handler_profiling;
  std::vector<std::string> header = AbColumns(profiled);
  header.insert(header.begin(), "version");
  text += "| " + Joined(header, " | ") + " |\n|";
  for (std::size_t i = 0; i < header.size(); ++i) {
    text += " :---: |";
  }
  text += '\n';
  for (const SuiteRow& row : rows) {
    if (row.point->model == model && row.result != nullptr) {
      std::vector<std::string> cells = AbValues(spec, row, profiled);
      cells.insert(cells.begin(), version);
      std::transform(cells.begin(), cells.end(), cells.begin(), MarkdownCell);
      text += "| " + Joined(cells, " | ") + " |\n";
    }
  }
}

}  // namespace

std::vector<SuiteRow> RowsOf(const std::vector<SuitePoint>& plan, const SuiteState& state) {
  std::vector<SuiteRow> rows;
  for (const SuitePoint& point : plan) {
    rows.push_back({&point, state.Find(point.key)});
  }
  return rows;
}

std::vector<std::string> AbColumns(bool handler_profiling) {
  std::vector<std::string> columns(std::begin(kColumns), std::end(kColumns));
  if (handler_profiling) {
    columns.insert(columns.end(), std::begin(kProfilingColumns), std::end(kProfilingColumns));
  }
  return columns;
}

std::vector<std::string> AbValues(const SuiteSpec& spec, const SuiteRow& row,
                                  bool handler_profiling) {
  const SuiteModel& model = spec.models[row.point->model];
  const PointResult& result = *row.result;
  const LevelResult& level = result.level;
  const std::uint64_t intended =
      level.intended_count > 0 ? level.intended_count : row.point->level.stop.request_count;
  const std::uint64_t failed = result.failure.ok() ? level.failure_count() : intended;
  const double error_rate = intended == 0
                                ? (result.failure.ok() ? 0 : 100)
                                : 100 * static_cast<double>(failed) / static_cast<double>(intended);
  const auto ms = [&](double percentile) {
    return fmt::format("{:.2f}", PercentileMs(level.response_time, percentile));
  };
  const auto column = [&](const char* name) { return fmt::format("{:.2f}", Column(result, name)); };
  std::vector<std::string> values = {
      row.point->level.arrivals.open() ? "open" : "AB",
      std::to_string(failed),
      fmt::format("{:.2f}", level.request_rate),
      ms(50),
      ms(90),
      ms(99),
      fmt::format("{:.2f}", Milliseconds(level.response_time.mean)),
      fmt::format("{:.2f}", error_rate),
      std::to_string(row.point->change.max_batch_size.value_or(0)),
      Delay(*row.point),
      std::to_string(row.point->change.instance_count.value_or(0)),
      model.url.empty() ? model.model : fmt::format("[.mar]({})", model.url),
      Load(*row.point),
      InputCell(model),
      std::to_string(intended)};
  for (const char* name :
       {"Model_p50", "Model_p90", "Model_p99", "Queue time p50", "Queue time p90", "Queue time p99",
        "predict_mean", "handler_time_mean", "waiting_time_mean", "worker_thread_mean"}) {
    values.push_back(column(name));
  }
  const double cpu = Column(result, "cpu_percentage_mean");
  values.push_back(fmt::format("{:.2f}", cpu == 0 ? level.machine.cpu_busy_share * 100 : cpu));
  values.push_back(column("memory_percentage_mean"));
  values.push_back(Gauge(result, "gpu_percentage_mean", "nv_gpu_utilization", 100));
  values.push_back(column("gpu_memory_percentage_mean"));
  values.push_back(
      Gauge(result, "gpu_memory_used_mean", "nv_gpu_memory_used_bytes", 1.0 / (1 << 20)));
  if (handler_profiling) {
    for (const char* name : kProfilingColumns) {
      values.push_back(column(name));
    }
  }
  return values;
}

std::string AbCsv(const SuiteSpec& spec, const std::vector<SuiteRow>& rows) {
  const bool profiled = Profiled(spec);
  std::string csv = Joined(AbColumns(profiled), ",") + '\n';
  for (const SuiteRow& row : rows) {
    if (row.result != nullptr) {
      std::vector<std::string> values = AbValues(spec, row, profiled);
      std::transform(values.begin(), values.end(), values.begin(), CsvField);
      csv += Joined(values, ",") + '\n';
    }
  }
  return csv;
}

std::string ReportMarkdown(const SuiteSpec& spec, const std::vector<SuiteRow>& rows,
                           const SuiteReportHead& head) {
  const bool torchserve = spec.form == SuiteSpec::Form::kTorchServe;
  std::string text = torchserve ? fmt::format("# TorchServe Benchmark on {}\n", spec.hardware)
                                : fmt::format("# Benchmark '{}' on {}\n", spec.name, spec.hardware);
  text += fmt::format("### Date: {}\n", head.date);
  text += fmt::format("### {}: {}\n", torchserve ? "TorchServe Version" : "Server",
                      head.server_version);
  const auto measured = static_cast<std::size_t>(std::count_if(
      rows.begin(), rows.end(), [](const SuiteRow& row) { return row.result != nullptr; }));
  if (head.interrupted || measured < rows.size()) {
    text += fmt::format("\nNot complete: {} of {} points were measured.\n", measured, rows.size());
  }
  for (std::size_t model = 0; model < spec.models.size(); ++model) {
    text += fmt::format("\n## {}\n\n", spec.models[model].name);
    AppendTable(spec, rows, model, head.server_version, text);
  }
  std::string notes;
  for (const SuiteRow& row : rows) {
    if (row.result != nullptr && !row.result->failure.ok()) {
      notes += fmt::format("- {}: failed: {}\n", row.point->name,
                           MarkdownCell(row.result->failure.message()));
    } else if (row.result != nullptr && !row.result->level.verdict.stable) {
      for (const Verdict::Line& line : row.result->level.verdict.lines) {
        notes += fmt::format("- {}: {}\n", row.point->name, MarkdownCell(line.text));
      }
    }
  }
  for (const std::string& warning : spec.warnings) {
    notes += fmt::format("- {}\n", MarkdownCell(warning));
  }
  return notes.empty() ? text : text + "\n## Notes\n\n" + notes;
}

std::string StatsMetricsJson(const SuiteSpec& spec, const std::vector<SuiteRow>& rows) {
  struct Metric {
    const char* name;
    const char* unit;
    const char* column;
  };
  constexpr Metric kMetrics[] = {
      {"throughput", "ops/s", "TS throughput"},
      {"total_latency_P50", "ms", "TS latency P50"},
      {"total_latency_P90", "ms", "TS latency P90"},
      {"total_latency_P99", "ms", "TS latency P99"},
      {"model_latency_P50", "ms", "Model_p50"},
      {"model_latency_P90", "ms", "Model_p90"},
      {"model_latency_P99", "ms", "Model_p99"},
      {"queue_time_P50", "ms", "Queue time p50"},
      {"queue_time_P90", "ms", "Queue time p90"},
      {"queue_time_P99", "ms", "Queue time p99"},
      {"memory_percentage_mean", "", "memory_percentage_mean"},
      {"cpu_percentage_mean", "", "cpu_percentage_mean"},
      {"gpu_percentage_mean", "", "gpu_percentage_mean"},
      {"gpu_memory_used_mean", "MB", "gpu_memory_used_mean"},
  };
  const std::vector<std::string> columns = AbColumns(false);
  std::string text;
  protocol::JsonWriter json(text);
  json.BeginArray();
  for (const SuiteRow& row : rows) {
    if (row.result == nullptr || !row.result->failure.ok()) {
      continue;
    }
    const SuiteModel& model = spec.models[row.point->model];
    const std::string base =
        model.url.empty() ? model.name : std::filesystem::path(model.url).stem().string();
    const std::vector<std::string> values = AbValues(spec, row, false);
    for (const Metric& metric : kMetrics) {
      const auto at = std::find(columns.begin(), columns.end(), metric.column) - columns.begin();
      json.BeginObject();
      json.Key("MetricName").String(base + "_" + metric.name);
      json.Key("Dimensions").BeginArray().BeginObject();
      json.Key("Name").String("batch_size");
      json.Key("Value").Int(row.point->change.max_batch_size.value_or(0));
      json.EndObject().EndArray();
      json.Key("Unit").String(metric.unit);
      json.Key("Value").Raw(values[static_cast<std::size_t>(at)]).EndObject();
    }
  }
  json.EndArray();
  return text;
}

void FillDocument(const SuiteSpec& spec, const std::vector<SuiteRow>& rows,
                  ResultDocument& document) {
  document.kind = "suite";
  document.name = spec.name;
  document.seed = spec.seed;
  std::string failures, warnings;
  protocol::JsonWriter failed(failures);
  failed.BeginArray();
  for (const SuiteRow& row : rows) {
    if (row.result == nullptr) {
      continue;
    }
    if (!row.result->failure.ok()) {
      failed.BeginObject().Key("point").String(row.point->name);
      failed.Key("reason").String(row.result->failure.message()).EndObject();
      continue;
    }
    document.levels.push_back(row.result->level);
    document.levels.back().spec = row.point->level;  // the labels, too
  }
  failed.EndArray();
  protocol::JsonWriter warned(warnings);
  warned.BeginArray();
  for (const std::string& warning : spec.warnings) {
    warned.String(warning);
  }
  warned.EndArray();
  document.extension = fmt::format("{{\"suite\":{{\"file\":");
  protocol::JsonWriter(document.extension).String(spec.file);
  document.extension += fmt::format(",\"points\":{},\"failures\":{},\"warnings\":{}}}}}",
                                    rows.size(), failures, warnings);
  for (const SuiteModel& model : spec.models) {
    ItemDescription item;
    item.name = model.name;
    item.model = model.model;
    item.version = model.version;
    item.inputs = fmt::format("{}", fmt::join(model.inputs, ", "));
    document.workload.push_back(std::move(item));
  }
}

}  // namespace headrace::bench

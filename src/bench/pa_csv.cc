#include "bench/pa_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "bench/file_writer.h"

namespace headrace::bench {
namespace {

// perf_analyzer's integers of microseconds; what was never answered has no number.
std::string Microseconds(double nanoseconds) {
  return std::isfinite(nanoseconds) ? fmt::format("{:.0f}", nanoseconds * 1e-3) : std::string();
}

// "uuid:value;" for each GPU that the page names.
std::string GpuList(const LevelResult& level, std::string_view family,
                    double GaugeFigures::*figure) {
  constexpr std::string_view kLabel = "gpu_uuid=\"";
  std::string list;
  for (const auto& [name, gauge] : level.gauges) {
    const std::size_t at = name.find(kLabel);
    if (!name.starts_with(family) || at == std::string::npos) {
      continue;
    }
    const std::size_t from = at + kLabel.size();
    list += fmt::format("{}:{:g};", name.substr(from, name.find('"', from) - from), gauge.*figure);
  }
  return list;
}

struct Column {
  std::string name;
  std::function<std::string(const LevelResult&)> value;
};

class Table {
 public:
  Table(const ResultDocument& document, std::string model, const PaCsvOptions& options)
      : document_(document), model_(std::move(model)), options_(options) {}

  std::string Text() {
    Columns();
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      text += (i == 0 ? "" : ",") + columns_[i].name;
    }
    text += '\n';
    for (const LevelResult* level : Rows()) {
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        text += (i == 0 ? "" : ",") + columns_[i].value(*level);
      }
      text += '\n';
    }
    return text;
  }

 private:
  std::vector<const LevelResult*> Rows() const {
    std::vector<const LevelResult*> rows;
    for (const LevelResult& level : document_.levels) {
      rows.push_back(&level);
    }
    std::stable_sort(rows.begin(), rows.end(), [](const LevelResult* a, const LevelResult* b) {
      return a->throughput < b->throughput;
    });
    return rows;
  }

  bool Any(const std::function<bool(const LevelResult&)>& is_so) const {
    return std::any_of(document_.levels.begin(), document_.levels.end(), is_so);
  }
  // Nothing where the server did not say.
  const ServerFigures* Server(const LevelResult& level) const {
    const auto found = level.server.find(model_);
    return found == level.server.end() ? nullptr : &found->second;
  }

  void Add(std::string name, std::function<std::string(const LevelResult&)> value) {
    columns_.push_back({std::move(name), std::move(value)});
  }
  void AddServer(std::string name, double ServerFigures::*figure) {
    Add(std::move(name), [this, figure](const LevelResult& level) {
      const ServerFigures* const server = Server(level);
      return Microseconds(server == nullptr ? 0 : server->*figure);
    });
  }

  void Columns() {
    const bool open = !document_.levels.empty() && document_.levels.back().spec.arrivals.open();
    Add(open ? "Request Rate" : "Concurrency", [open](const LevelResult& level) {
      const load::ArrivalSpec& arrivals = level.spec.arrivals;
      return open ? fmt::format("{:g}", arrivals.open() ? arrivals.rate : level.request_rate)
                  : fmt::format("{}", arrivals.concurrency);
    });
    Add("Inferences/Second",
        [](const LevelResult& level) { return fmt::format("{:g}", level.throughput); });
    const bool streams =
        Any([](const LevelResult& level) { return level.first_response_time.count() > 0; });
    if (streams) {
      Add("Response Throughput",
          [](const LevelResult& level) { return fmt::format("{:g}", level.response_rate); });
    }
    Add("Client Send", [](const LevelResult& level) { return Microseconds(level.send_lag.mean); });
    ServerColumns();
    Add("Client Recv", [](const LevelResult&) { return std::string("0"); });
    LatencyColumns();
    if (options_.metrics) {
      GpuColumns();
    }
  }

  void ServerColumns() {
    if (!Any([this](const LevelResult& level) { return Server(level) != nullptr; })) {
      return;
    }
    Add("Network+Server Send/Recv", [this](const LevelResult& level) {
      const ServerFigures* const server = Server(level);
      const double known = server == nullptr
                               ? 0
                               : server->queue_mean + server->compute_input_mean +
                                     server->compute_infer_mean + server->compute_output_mean;
      return Microseconds(std::max(0.0, level.service_time.mean - known));
    });
    AddServer("Server Queue", &ServerFigures::queue_mean);
    AddServer("Server Compute Input", &ServerFigures::compute_input_mean);
    AddServer("Server Compute Infer", &ServerFigures::compute_infer_mean);
    AddServer("Server Compute Output", &ServerFigures::compute_output_mean);
    const bool cached = Any([this](const LevelResult& level) {
      const ServerFigures* const server = Server(level);
      return server != nullptr && server->cache_hit_count + server->cache_miss_count > 0;
    });
    if (cached) {
      AddServer("Server Cache Hit", &ServerFigures::cache_hit_mean);
      AddServer("Server Cache Miss", &ServerFigures::cache_miss_mean);
    }
  }

  void LatencyColumns() {
    std::set<double> percentiles = {50, 90, 95, 99};
    if (options_.percentile) {
      percentiles.insert(*options_.percentile);
    }
    for (const double percentile : percentiles) {
      Add(fmt::format("p{:g} latency", percentile), [percentile](const LevelResult& level) {
        return Microseconds(level.response_time.Percentile(percentile).value);
      });
    }
    if (!options_.verbose) {
      return;
    }
    if (!options_.percentile) {
      Add("Avg latency",
          [](const LevelResult& level) { return Microseconds(level.response_time.mean); });
    }
    Add("request/response",
        [](const LevelResult& level) { return Microseconds(level.send_lag.mean); });
    Add("response wait",
        [](const LevelResult& level) { return Microseconds(level.service_time.mean); });
  }

  void GpuColumns() {
    const auto add = [this](const char* name, std::string_view family,
                            double GaugeFigures::*figure) {
      Add(name,
          [family, figure](const LevelResult& level) { return GpuList(level, family, figure); });
    };
    add("Avg GPU Utilization", "nv_gpu_utilization{", &GaugeFigures::mean);
    add("Avg GPU Power Usage", "nv_gpu_power_usage{", &GaugeFigures::mean);
    add("Max GPU Memory Usage", "nv_gpu_memory_used_bytes{", &GaugeFigures::max);
    add("Total GPU Memory", "nv_gpu_memory_total_bytes{", &GaugeFigures::last);
  }

  const ResultDocument& document_;
  const std::string model_;
  const PaCsvOptions& options_;
  std::vector<Column> columns_;
};

}  // namespace

std::string PaCsv(const ResultDocument& document, const std::string& model,
                  const PaCsvOptions& options) {
  return Table(document, model, options).Text();
}

Status WritePaCsv(const std::string& path, const ResultDocument& document,
                  const PaCsvOptions& options) {
  const std::string model = document.workload.empty() ? "" : document.workload.front().model;
  HEADRACE_RETURN_IF_ERROR(WriteFile(path, PaCsv(document, model, options)));
  if (path == "-" || document.workload.size() != 1) {
    return OkStatus();
  }
  std::set<std::string> composing;
  for (const LevelResult& level : document.levels) {
    for (const auto& [name, figures] : level.server) {
      if (name != model) {
        composing.insert(name);
      }
    }
  }
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  const std::string file = slash == std::string::npos ? path : path.substr(slash + 1);
  for (const std::string& name : composing) {
    HEADRACE_RETURN_IF_ERROR(
        WriteFile(fmt::format("{}{}_v.{}", folder, name, file), PaCsv(document, name, options)));
  }
  return OkStatus();
}

}  // namespace headrace::bench

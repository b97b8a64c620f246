#include "bench/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "bench/html_page.h"
#include "bench/json_value.h"
#include "bench/level_plots.h"
#include "bench/report_series.h"
#include "bench/svg_axis.h"
#include "bench/text_file.h"

namespace headrace::bench {
namespace {

constexpr std::size_t kBarsMax = 40;
constexpr std::size_t kCurvesMax = 8;
constexpr std::size_t kDetailsMax = 60;

std::string Counted(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", FigureText(static_cast<double>(count)), what,
                     count == 1 ? "" : "s");
}

std::string PercentileName(double percentile) { return fmt::format("p{}", percentile); }

class Report {
 public:
  explicit Report(const ResultDocument& document)
      : document_(document),
        levels_(document.levels),
        names_(LevelNames(document.levels)),
        lines_(LinesOf(document.levels)),
        extension_(JsonValue::Parse(document.extension.empty() ? "{}" : document.extension)),
        page_(Title(document), Subtitle(document)) {}

  std::string Text() {
    Tiles();
    Findings();
    for (const ReportLines& lines : lines_) {
      AgainstLoadSection(lines);
    }
    Breakdowns();
    Curves();
    Table();
    Details();
    EnvironmentSection();
    return page_.Text();
  }

 private:
  static std::string Title(const ResultDocument& document) {
    if (!document.name.empty()) {
      return document.name;
    }
    std::string models;
    for (const ItemDescription& item : document.workload) {
      models += (models.empty() ? "" : ", ") + item.name;
    }
    return models.empty() ? "headrace bench" : models;
  }

  static std::string Subtitle(const ResultDocument& document) {
    std::string text = document.target.protocol;
    if (!document.target.address.empty()) {
      text += " at " + document.target.address;
    }
    if (!document.environment.server_name.empty()) {
      text +=
          " \u00b7 " + document.environment.server_name + " " + document.environment.server_version;
    }
    text += " \u00b7 " + document.started_at;
    return text + (document.interrupted ? " \u00b7 interrupted: this is what was measured" : "");
  }

  double PercentileOf(const LevelResult& level) const {
    return level.response_time.Percentile(level.spec.percentile).value;
  }

  bool Meets(const LevelResult& level) const {
    return !level.spec.sla || PercentileOf(level) <= static_cast<double>(*level.spec.sla);
  }

  void Tiles() {
    if (levels_.empty()) {
      return;
    }
    std::size_t best = 0, fastest = 0;
    std::uint64_t requests = 0, failures = 0;
    std::optional<std::size_t> best_within;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      best = levels_[i].throughput > levels_[best].throughput ? i : best;
      fastest = PercentileOf(levels_[i]) < PercentileOf(levels_[fastest]) ? i : fastest;
      requests += levels_[i].intended_count;
      failures += levels_[i].failure_count();
      if (levels_[i].spec.sla && Meets(levels_[i]) &&
          (!best_within || levels_[i].throughput > levels_[*best_within].throughput)) {
        best_within = i;
      }
    }
    std::vector<HtmlPage::Tile> tiles;
    const bool with_sla = std::any_of(levels_.begin(), levels_.end(), [](const LevelResult& level) {
      return level.spec.sla.has_value();
    });
    tiles.push_back({"Highest throughput", FigureText(levels_[best].throughput) + " /s",
                     names_[best] + ", " + PercentileName(levels_[best].spec.percentile) + " " +
                         DurationText(PercentileOf(levels_[best]))});
    if (with_sla) {
      const std::string figure =
          best_within ? FigureText(levels_[*best_within].throughput) + " /s" : "none";
      tiles.push_back({"Highest within the SLA", figure,
                       best_within ? names_[*best_within] : "every level missed it"});
    }
    tiles.push_back({fmt::format("Lowest {}", PercentileName(levels_[fastest].spec.percentile)),
                     DurationText(PercentileOf(levels_[fastest])),
                     names_[fastest] + ", " + FigureText(levels_[fastest].throughput) + " /s"});
    tiles.push_back(
        {"Requests", FigureText(static_cast<double>(requests)),
         failures == 0 ? "none failed"
                       : fmt::format("{} failed ({} %)", FigureText(static_cast<double>(failures)),
                                     FigureText(100 * static_cast<double>(failures) /
                                                static_cast<double>(requests)))});
    page_.Tiles(tiles);
  }

  void Findings() {
    const std::size_t unstable = static_cast<std::size_t>(
        std::count_if(levels_.begin(), levels_.end(),
                      [](const LevelResult& level) { return !level.verdict.stable; }));
    page_.Section("What to know of these figures");
    if (levels_.empty()) {
      page_.Note("bad", "Nothing was measured.");
    } else if (unstable == 0) {
      page_.Note("good", levels_.size() == 1
                             ? "The level was stable and the client kept up."
                             : fmt::format("All {} were stable and the client kept up.",
                                           Counted(levels_.size(), "level")));
    } else {
      page_.Note("warn", fmt::format("{} of {} stable: the remarks are in the table below.",
                                     unstable == 1 ? "1" : std::to_string(unstable),
                                     Counted(levels_.size(), "level") +
                                         (unstable == 1 ? " was not" : " were not")));
    }
    if (extension_.ok()) {
      const JsonValue& suite = extension_->At("suite");
      for (const JsonValue& failure : suite.At("failures").elements()) {
        page_.Note("bad", fmt::format("<b>{}</b> could not be measured: {}",
                                      Escaped(failure.At("point").AsString()),
                                      Escaped(failure.At("reason").AsString())));
      }
      for (const JsonValue& warning : suite.At("warnings").elements()) {
        page_.Note("info", Escaped(warning.AsString()));
      }
    }
  }

  std::vector<std::string> SeriesNames(const ReportLines& lines) const {
    std::vector<std::string> names;
    for (const ReportSeries& series : lines.series) {
      names.push_back(series.name.empty() ? "all levels" : series.name);
    }
    return names;
  }

  void AgainstLoadSection(const ReportLines& lines) {
    std::size_t points = 0;
    for (const ReportSeries& series : lines.series) {
      points += series.points.size();
    }
    if (points < 2) {
      return;
    }
    const bool load = lines.x_name.find("load") != std::string::npos ||
                      lines.x_name.find("closed") != std::string::npos;
    page_.Section(load ? "Throughput and latency against load" : "Throughput and latency",
                  "Bars at a point are the 95 % interval, or the range of its rounds.");
    AgainstLoad throughput;
    throughput.what = "throughput";
    throughput.spread_max = 500;
    throughput.value = [](const LevelResult& level) {
      Estimate estimate = level.throughput_interval;
      if (!(estimate.low <= level.throughput && level.throughput <= estimate.high)) {
        estimate = {level.throughput, level.throughput, level.throughput};
      }
      return Estimate{level.throughput, estimate.low, estimate.high};
    };
    throughput.text = [](double value) { return FigureText(value) + " /s"; };
    AgainstLoad latency;
    const double percentile = levels_.front().spec.percentile;
    latency.what = PercentileName(percentile) + " of the response time";
    latency.value = [](const LevelResult& level) {
      const Estimate nanos = level.response_time.Percentile(level.spec.percentile);
      return Estimate{nanos.value / 1e6, nanos.low / 1e6, nanos.high / 1e6};
    };
    latency.text = [](double value) { return FigureText(value) + " ms"; };
    for (const LevelResult& level : levels_) {
      if (level.spec.sla) {
        latency.limit = {static_cast<double>(*level.spec.sla) / 1e6,
                         "SLA " + DurationText(static_cast<double>(*level.spec.sla))};
      }
    }
    std::vector<HtmlPage::Figure> figures = {
        {"Throughput", "inferences/s", PlotAgainstLoad(levels_, lines, throughput)},
        {"Response time, " + PercentileName(percentile), "ms",
         PlotAgainstLoad(levels_, lines, latency)}};
    const bool batches = std::any_of(levels_.begin(), levels_.end(), [](const LevelResult& level) {
      const ServerFigures* server = ServerOf(level);
      return server != nullptr && server->batch_mean() > 1.05;
    });
    if (batches) {
      AgainstLoad batch;
      batch.what = "mean batch size";
      batch.spread_max = 1e9;
      batch.value = [](const LevelResult& level) {
        const ServerFigures* server = ServerOf(level);
        const double mean = server == nullptr ? std::nan("") : server->batch_mean();
        return Estimate{mean, mean, mean};
      };
      batch.text = [](double value) { return FigureText(value); };
      figures.push_back({"Mean batch size", "inferences in one execution",
                         PlotAgainstLoad(levels_, lines, batch)});
      AgainstLoad busy;
      busy.what = "processors in use";
      busy.spread_max = 1e9;
      busy.value = [](const LevelResult& level) {
        const double share = level.machine.cpu_busy_share * 100;
        return Estimate{share, share, share};
      };
      busy.text = [](double value) { return FigureText(value) + " %"; };
      figures.push_back(
          {"Processors in use", "% of this machine", PlotAgainstLoad(levels_, lines, busy)});
    }
    page_.Figures(figures);
    if (lines.series.size() > 1) {
      page_.Legend(SeriesNames(lines), true);
    }
  }

  void Breakdowns() {
    StackedBarsSpec spec;
    spec.title = "mean response time of each level by where it goes";
    spec.x_name = "mean response time, ms";
    spec.parts = BreakdownParts();
    spec.width = 1100;
    bool server = false;
    for (std::size_t i = 0; i < levels_.size() && spec.rows.size() < kBarsMax; ++i) {
      if (levels_[i].response_time.histogram.count() == 0) {
        continue;
      }
      spec.rows.push_back(names_[i]);
      spec.values.push_back(Breakdown(levels_[i]));
      spec.row_ends.push_back(DurationText(levels_[i].response_time.mean));
      server |= ServerOf(levels_[i]) != nullptr;
    }
    if (spec.rows.empty()) {
      return;
    }
    page_.Section("Where the time goes",
                  server ? "Means. The queue and the parts of the execution are the server's own "
                           "figures; network and client is what is left of the time from send to "
                           "answer; late send is the time a request waited in the client."
                         : "The server tells no figures of its own, so the whole time from send to "
                           "answer is one part.");
    page_.Figures({{"", "", StackedBars(spec), true}});
    page_.Legend(spec.parts, false);
    if (levels_.size() > kBarsMax) {
      page_.Note("info",
                 fmt::format("The first {} of {}.", kBarsMax, Counted(levels_.size(), "level")));
    }
  }

  // The levels whose curves are worth a look: all, or those with most throughput.
  std::vector<std::size_t> Chosen() const {
    std::vector<std::size_t> order(levels_.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = i;
    }
    if (order.size() > kCurvesMax) {
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return levels_[a].throughput > levels_[b].throughput;
      });
      order.resize(kCurvesMax);
      std::sort(order.begin(), order.end());
    }
    return order;
  }

  void Curves() {
    const std::vector<std::size_t> chosen = Chosen();
    if (chosen.empty()) {
      return;
    }
    std::vector<const LevelResult*> levels;
    std::vector<std::string> names;
    std::size_t best = chosen.front();
    for (const std::size_t index : chosen) {
      levels.push_back(&levels_[index]);
      names.push_back(names_[index]);
      best = levels_[index].throughput > levels_[best].throughput ? index : best;
    }
    const bool all = levels_.size() <= kCurvesMax;
    page_.Section("Latency distribution and batches",
                  all ? "" : fmt::format("The {} levels with most throughput.", kCurvesMax));
    std::vector<HtmlPage::Figure> figures = {
        {"Response time by percentile", "ms", PercentilePlot(levels, names)}};
    if (const std::string batches = BatchPlot(levels_[best]); !batches.empty()) {
      figures.push_back({"Batch sizes at " + names_[best], "% of executions", batches});
    } else {
      figures.front().wide = false;
    }
    page_.Figures(figures);
    if (names.size() > 1) {
      page_.Legend(names, true);
    }
  }

  static std::string Remarks(const LevelResult& level) {
    std::string html = level.verdict.stable ? Pill("good", "stable") : Pill("warn", "see remarks");
    if (level.stop_reason == StopReason::kServerGone) {
      html += " " + Pill("bad", "server gone");
    }
    for (const Verdict::Line& line : level.verdict.lines) {
      html += fmt::format("<br><small>{}</small>", Escaped(line.text));
    }
    return html;
  }

  void Table() {
    page_.Section("All levels");
    const bool sla = std::any_of(levels_.begin(), levels_.end(), [](const LevelResult& level) {
      return level.spec.sla.has_value();
    });
    std::vector<std::string> header = {"Level",   "#Throughput /s", "#\u00b1 95 %", "#p50",
                                       "#p90",    "#p99",           "#p99.9",       "#Mean",
                                       "#Failed", "#Batch",         "#Queue"};
    if (sla) {
      header.push_back("SLA");
    }
    header.push_back("Verdict");
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      const LevelResult& level = levels_[i];
      const double half = (level.throughput_interval.high - level.throughput_interval.low) / 2;
      const ServerFigures* server = ServerOf(level);
      std::vector<std::string> row = {
          Escaped(names_[i]), FigureText(level.throughput),
          std::isfinite(half) && half > 0 ? FigureText(half) : "\u2013"};
      for (const double percentile : {50.0, 90.0, 99.0, 99.9}) {
        row.push_back(DurationText(level.response_time.Percentile(percentile).value));
      }
      row.push_back(DurationText(level.response_time.mean));
      row.push_back(FigureText(static_cast<double>(level.failure_count())));
      row.push_back(server == nullptr ? "\u2013" : FigureText(server->batch_mean()));
      row.push_back(server == nullptr ? "\u2013" : DurationText(server->queue_mean));
      if (sla) {
        row.push_back(!level.spec.sla ? ""
                      : Meets(level)  ? Pill("good", "met")
                                      : Pill("bad", "missed"));
      }
      row.push_back(Remarks(level));
      rows.push_back(std::move(row));
    }
    page_.Table(header, rows);
  }

  void Details() {
    const bool any = std::any_of(levels_.begin(), levels_.end(),
                                 [](const LevelResult& level) { return level.seconds.size() > 1; });
    if (!any) {
      return;
    }
    page_.Section(
        "Second by second",
        "What arrived and what was answered, and the response time of what arrived in that "
        "second. A gap in the latter: nothing of that second was answered.");
    for (std::size_t i = 0; i < levels_.size() && i < kDetailsMax; ++i) {
      const LevelResult& level = levels_[i];
      const bool alone = levels_.size() == 1;
      if (!alone) {
        page_.OpenDetails(Escaped(names_[i]) +
                          (level.verdict.stable ? "" : Pill("warn", "see remarks")));
      }
      std::vector<HtmlPage::Figure> figures = {
          {"Requests", "arrived, answered and failed in each second", SecondsOfRates(level)},
          {"Response time", "ms: p50 and p99 in each second", SecondsOfLatencies(level)}};
      if (!alone) {
        figures.push_back(
            {"Response time by percentile", "ms", PercentilePlot({&level}, {names_[i]})});
        if (const std::string batches = BatchPlot(level); !batches.empty()) {
          figures.push_back({"Batch sizes", "% of executions", batches});
        }
      }
      page_.Figures(figures);
      if (!alone) {
        page_.CloseDetails();
      }
    }
  }

  void EnvironmentSection() {
    const Environment& environment = document_.environment;
    page_.Section("How it was measured");
    std::vector<std::pair<std::string, std::string>> entries;
    const auto add = [&](const std::string& name, const std::string& value) {
      entries.emplace_back(name, value);
    };
    const auto yes_no = [](const std::optional<bool>& flag) {
      return !flag ? std::string() : std::string(*flag ? "on" : "off");
    };
    add("headrace", environment.headrace_version +
                        (environment.git_id.empty() ? "" : " (" + environment.git_id + ")"));
    add("compiler", environment.compiler);
    add("system", environment.operating_system);
    add("kernel", environment.kernel);
    add("processor", environment.cpu_model);
    add("processors", fmt::format("{} usable, {} cores, {} NUMA nodes", environment.cpu_count,
                                  environment.physical_core_count, environment.numa_node_count));
    add("governor", environment.governor);
    add("turbo", yes_no(environment.turbo));
    add("SMT", yes_no(environment.smt));
    add("limit of processors",
        environment.cpu_limit ? FigureText(*environment.cpu_limit) : std::string());
    add("memory",
        FigureText(static_cast<double>(environment.memory_byte_size) / (1 << 30)) + " GiB");
    for (const GpuEnvironment& gpu : environment.gpus) {
      add("GPU", fmt::format("{}, {} GiB", gpu.name,
                             FigureText(static_cast<double>(gpu.memory_byte_size) / (1 << 30))));
    }
    add("server", environment.server_name + " " + environment.server_version);
    add("protocol", document_.target.protocol +
                        (document_.target.options.empty() ? "" : ", " + document_.target.options));
    for (const ItemDescription& item : document_.workload) {
      add("requests", fmt::format("{}{}{}", item.model.empty() ? item.name : item.model,
                                  item.inputs.empty() ? "" : ": ", item.inputs));
    }
    add("seed", std::to_string(document_.seed));
    std::string command;
    for (const std::string& argument : document_.command_line) {
      command += (command.empty() ? "" : " ") + argument;
    }
    add("command", command);
    page_.Definitions(entries);
  }

  const ResultDocument& document_;
  const std::vector<LevelResult>& levels_;
  const std::vector<std::string> names_;
  const std::vector<ReportLines> lines_;
  const Result<JsonValue> extension_;
  HtmlPage page_;
};

}  // namespace

std::string HtmlReport(const ResultDocument& document) { return Report(document).Text(); }

Status WriteHtmlReport(const std::string& path, const ResultDocument& document) {
  return WriteTextFile(path, HtmlReport(document));
}

}  // namespace headrace::bench

#include "cli/profile_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "bench/html_page.h"
#include "bench/svg_axis.h"
#include "bench/svg_plot.h"
#include "cli/profile_flame.h"
#include "cli/profile_json.h"

namespace headrace::cli {
namespace {

using bench::Escaped;
using bench::FigureText;
using profiling::FlameFrame;

constexpr std::size_t kOperatorsMax = 40;
constexpr std::size_t kThreadsMax = 20;
constexpr double kMebibyte = 1 << 20;

std::string Milliseconds(double microseconds) { return FigureText(microseconds / 1e3) + " ms"; }

std::string ByteText(double byte_size) {
  if (byte_size <= 0) {
    return "";
  }
  return byte_size < 1024        ? FigureText(byte_size) + " B"
         : byte_size < kMebibyte ? FigureText(byte_size / 1024) + " KiB"
                                 : FigureText(byte_size / kMebibyte) + " MiB";
}

class Page {
 public:
  Page(const JsonElement& document, const JsonElement& profile, const FlameFrame& flame)
      : document_(document),
        profile_(profile),
        flame_(flame),
        page_("Profile of " + JsonText(profile, "model"), Subtitle(profile)) {}

  std::string Text(std::string_view load_line) {
    page_.Footer(
        "Made by headrace profile. Operators are recorded while batches of real requests "
        "execute; recording makes them somewhat slower.");
    Tiles();
    for (const JsonElement& advice : JsonList(profile_, "/advice")) {
      page_.Note("warn", fmt::format("<b>{}</b>: {}", Escaped(JsonText(advice, "topic")),
                                     Escaped(JsonText(advice, "text"))));
    }
    Flame();
    Operators();
    Cpu();
    Batches();
    Memory();
    Threads();
    if (!load_line.empty()) {
      page_.Section("Load", load_line);
    }
    return page_.Text();
  }

 private:
  static std::string Subtitle(const JsonElement& profile) {
    return fmt::format(
        "version {:.0f} \u00b7 {} requests in {} s \u00b7 {:.0f} instance(s) "
        "\u00b7 {:.0f} core(s)",
        JsonNumber(profile, "version"), FigureText(JsonNumber(profile, "requests")),
        FigureText(JsonNumber(profile, "seconds")), JsonNumber(profile, "instances"),
        JsonNumber(profile, "cores"));
  }

  void Tiles() {
    const double seconds = JsonNumber(profile_, "seconds");
    const double requests = JsonNumber(profile_, "requests");
    double executions = 0, execution_us = 0, inferences = 0, queue_us = 0;
    for (const JsonElement& line : JsonList(profile_, "/batches")) {
      const double count = JsonNumber(line, "count");
      const double size = JsonNumber(line, "batch_size");
      executions += count;
      inferences += count * size;
      execution_us += count * JsonNumber(line, "execution_mean_us");
      queue_us += count * size * JsonNumber(line, "queue_mean_us");
    }
    std::vector<bench::HtmlPage::Tile> tiles = {
        {"Requests", seconds > 0 ? FigureText(requests / seconds) + "/s" : "0",
         FigureText(requests) + " in all"},
        {"Execution of a batch",
         executions > 0 ? Milliseconds(execution_us / executions) : "\u2013",
         executions > 0 ? fmt::format("mean of {}, of {} inferences", FigureText(executions),
                                      FigureText(inferences / executions))
                        : "nothing was executed"},
        {"Wait in the queue", inferences > 0 ? Milliseconds(queue_us / inferences) : "\u2013",
         "mean of the requests"}};
    if (JsonElement memory; profile_["memory"].get(memory) == simdjson::SUCCESS) {
      std::string devices;
      for (const JsonElement& device : JsonList(memory, "/device_peaks")) {
        devices += fmt::format("; GPU {:.0f}: {} MiB in use", JsonNumber(device, "device"),
                               FigureText(JsonNumber(device, "bytes") / kMebibyte));
      }
      tiles.push_back({"Memory of the server",
                       FigureText(JsonNumber(memory, "resident_peak_bytes") / kMebibyte) + " MiB",
                       "most that was resident" + devices});
    }
    page_.Tiles(tiles);
  }

  void Flame() {
    page_.Section("Where the time of executions goes",
                  "Each bar is as wide as the time that it took; what it called lies below it, in "
                  "the order in which it came first. Point at a bar for its figures.");
    if (flame_.total <= 0) {
      page_.Note("info", "Nothing was executed while the model was watched.");
      return;
    }
    page_.Raw(FlameFigure(flame_));
  }

  void Operators() {
    JsonElement operators;
    if (profile_["operators"].get(operators) != simdjson::SUCCESS) {
      return;
    }
    const std::vector<JsonElement> table = JsonList(operators, "/table");
    const std::string runtime = JsonText(operators, "runtime");
    page_.Section("Operators" + (runtime.empty() ? "" : " of " + runtime),
                  JsonText(operators, "note"));
    if (JsonFlag(operators, "truncated")) {
      page_.Note("warn", kOperatorsLeftOut);
    }
    double all = 0;
    bool memory = false, work = false;
    for (const JsonElement& line : table) {
      all += JsonNumber(line, "self_us");
      memory = memory || JsonNumber(line, "bytes") > 0;
      work = work || JsonNumber(line, "worked_count") > 0;
    }
    if (table.empty()) {
      return;
    }
    std::vector<std::string> header = {"Operator", "#Self", "#Self time", "#Calls", "#Each"};
    if (memory) {
      header.emplace_back("#Memory each");
    }
    if (work) {
      header.insert(header.end(), {"#GFLOP/s", "#GB/s", "#Roofline"});
    }
    std::vector<std::vector<std::string>> rows;
    for (const JsonElement& line : table) {
      if (rows.size() == kOperatorsMax) {
        break;
      }
      const double self = JsonNumber(line, "self_us");
      const double count = std::max(1.0, JsonNumber(line, "count"));
      const std::string kind = JsonText(line, "kind");
      std::vector<std::string> row = {
          Escaped(JsonText(line, "name")) +
              (kind.empty() ? "" : " <small>" + Escaped(kind) + "</small>"),
          fmt::format("{:.1f} %", all > 0 ? 100 * self / all : 0), Milliseconds(self),
          FigureText(JsonNumber(line, "count")), FigureText(self / count) + " \u00b5s"};
      if (memory) {
        row.push_back(ByteText(JsonNumber(line, "bytes") / count));
      }
      if (work) {
        const double worked_us = JsonNumber(line, "worked_us");
        const auto rate = [&](const char* key) {
          const double amount = JsonNumber(line, key);
          return amount > 0 && worked_us > 0 ? FigureText(amount / worked_us / 1e3) : "";
        };
        const double percent = JsonNumber(line, "roofline_percent");
        row.push_back(rate("flops"));
        row.push_back(rate("moved_bytes"));
        row.push_back(percent > 0 ? fmt::format("{:.1f} % <small>{}</small>", percent,
                                                Escaped(JsonText(line, "roofline_bound")))
                                  : "");
      }
      rows.push_back(std::move(row));
    }
    page_.Table(header, rows);
    std::string below = memory ? "Memory: " + JsonText(operators, "memory_note") + ". " : "";
    if (table.size() > rows.size()) {
      below += fmt::format("{} more are in the trace.", table.size() - rows.size());
    }
    below += (below.empty() ? "" : " ") + RooflineText(operators);
    if (!below.empty()) {
      page_.Note("info", Escaped(below));
    }
  }

  std::string RooflineText(const JsonElement& operators) const {
    const std::string note = JsonText(operators, "roofline_note");
    JsonElement machine;
    if (profile_["machine"].get(machine) != simdjson::SUCCESS) {
      return note.empty() ? "" : "Roofline: " + note + ".";
    }
    return fmt::format(
        "Roofline of {} GFLOP/s and {} GB/s ({}): {}.", FigureText(JsonNumber(machine, "gflops")),
        FigureText(JsonNumber(machine, "gbytes_per_s")), JsonText(machine, "how"), note);
  }

  void Cpu() {
    JsonElement cpu;
    if (profile_["cpu"].get(cpu) != simdjson::SUCCESS) {
      return;
    }
    page_.Section("Functions on the processor",
                  fmt::format("Samples of the server's threads, each {} of processor time.",
                              Milliseconds(JsonNumber(cpu, "sample_us"))));
    if (const std::string note = JsonText(cpu, "perf_note"); !note.empty()) {
      page_.Note("warn", Escaped(note));
    }
    const double all = JsonNumber(cpu, "samples");
    std::vector<std::vector<std::string>> rows;
    for (const JsonElement& line : JsonList(cpu, "/table")) {
      if (rows.size() == kOperatorsMax) {
        break;
      }
      rows.push_back(
          {Escaped(JsonText(line, "function")) + " <small>" + Escaped(JsonText(line, "module")) +
               "</small>",
           fmt::format("{:.1f} %", all > 0 ? 100 * JsonNumber(line, "samples") / all : 0),
           Milliseconds(JsonNumber(line, "self_us"))});
    }
    if (rows.empty()) {
      return;
    }
    page_.Table({"Function", "#CPU", "#CPU time"}, rows);
    if (!JsonFlag(cpu, "kernel")) {
      page_.Note("info", kWithoutKernel);
    }
    if (JsonFlag(cpu, "truncated") || JsonNumber(cpu, "lost") > 0) {
      page_.Note("warn",
                 fmt::format("{}: {} lost", kSamplesLeftOut, FigureText(JsonNumber(cpu, "lost"))));
    }
  }

  void Batches() {
    std::vector<std::vector<std::string>> rows;
    for (const JsonElement& line : JsonList(profile_, "/batches")) {
      rows.push_back({FigureText(JsonNumber(line, "batch_size")),
                      FigureText(JsonNumber(line, "count")),
                      Milliseconds(JsonNumber(line, "execution_mean_us")),
                      Milliseconds(JsonNumber(line, "execution_max_us")),
                      Milliseconds(JsonNumber(line, "queue_mean_us"))});
    }
    if (!rows.empty()) {
      page_.Section("Batches");
      if (JsonFlag(profile_, "truncated")) {
        page_.Note("warn", kBatchesLeftOut);
      }
      page_.Table({"Inferences in a batch", "#Executions", "#Mean", "#Longest", "#Queue, mean"},
                  rows);
    }
  }

  // The counters of the trace, one line each: of the machine, and of what operators hold, which is
  // less by far.
  void Memory() {
    std::vector<bench::PlotSeries> machine, operators;
    for (const JsonElement& event : JsonList(document_, "/traceEvents")) {
      JsonElement arguments;
      if (JsonText(event, "ph") != "C" || event["args"].get(arguments) != simdjson::SUCCESS) {
        continue;
      }
      const std::string name = JsonText(event, "name");
      std::vector<bench::PlotSeries>& all =
          name.ends_with("memory of operators") ? operators : machine;
      auto series = std::find_if(all.begin(), all.end(),
                                 [&](const auto& known) { return known.name == name; });
      if (series == all.end()) {
        all.push_back({.name = name,
                       .color = static_cast<int>(all.size()),
                       .markers = false,
                       .steps = true,
                       .points = {}});
        series = std::prev(all.end());
      }
      bench::PlotPoint& point = series->points.emplace_back();
      point.x = JsonNumber(event, "ts") / 1e6;
      point.y = JsonNumber(arguments, "MiB");
    }
    if (!machine.empty() || !operators.empty()) {
      page_.Section("Memory");
      MemoryFigure("Memory of the server", std::move(machine));
      MemoryFigure("Held by operators", std::move(operators));
    }
  }

  void MemoryFigure(const char* caption, std::vector<bench::PlotSeries> all) {
    if (all.empty()) {
      return;
    }
    bench::LinePlotSpec plot;
    plot.title = fmt::format("{} over the time of the profile", caption);
    plot.x_name = "seconds";
    plot.width = 1120;
    plot.height = 200;
    double most = 0;
    std::vector<std::string> names;
    for (bench::PlotSeries& series : all) {
      Thin(series.points);
      names.push_back(series.name);
      for (const bench::PlotPoint& point : series.points) {
        most = std::max(most, point.y);
      }
    }
    plot.series = std::move(all);
    plot.x = bench::LinearAxis(JsonNumber(profile_, "seconds"));
    plot.y = bench::LinearAxis(most);
    page_.Figures({{caption, "MiB", bench::LinePlot(plot), true}});
    page_.Legend(names, false);
  }

  // Of as many points as can be seen, the highest of each stretch.
  static void Thin(std::vector<bench::PlotPoint>& points) {
    constexpr std::size_t kPointsMax = 1000;
    const std::size_t stretch = points.size() / kPointsMax + 1;
    std::vector<bench::PlotPoint> kept;
    for (std::size_t i = 0; i < points.size(); i += stretch) {
      const auto end =
          points.begin() + static_cast<std::ptrdiff_t>(std::min(i + stretch, points.size()));
      kept.push_back(*std::max_element(points.begin() + static_cast<std::ptrdiff_t>(i), end,
                                       [](const auto& a, const auto& b) { return a.y < b.y; }));
    }
    points = std::move(kept);
  }

  void Threads() {
    const double seconds = JsonNumber(profile_, "seconds");
    std::vector<std::vector<std::string>> rows;
    for (const JsonElement& line : JsonList(profile_, "/threads")) {
      if (rows.size() == kThreadsMax || seconds <= 0) {
        break;
      }
      rows.push_back(
          {Escaped(JsonText(line, "name")),
           fmt::format("{:.1f} %", JsonNumber(line, "ran_us") / seconds / 1e4),
           fmt::format("{:.1f} %", JsonNumber(line, "waited_for_core_us") / seconds / 1e4),
           FigureText(JsonNumber(line, "migrations"))});
    }
    if (!rows.empty()) {
      page_.Section("Threads of the server", "Most active first.");
      page_.Table({"Thread", "#Ran", "#Waited for a core", "#Changes of core"}, rows);
    }
  }

  const JsonElement& document_;
  const JsonElement& profile_;
  const FlameFrame& flame_;
  bench::HtmlPage page_;
};

}  // namespace

Result<std::string> ProfilePage(std::string_view text, const FlameFrame& flame,
                                std::string_view load_line) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(text);
  JsonElement document, profile;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["headrace"].get(profile) != simdjson::SUCCESS) {
    return Internal("the server's answer is no profile");
  }
  return Page(document, profile, flame).Text(load_line);
}

}  // namespace headrace::cli

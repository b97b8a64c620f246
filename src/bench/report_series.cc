#include "bench/report_series.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "bench/svg_axis.h"

namespace headrace::bench {
namespace {

constexpr char kLoad[] = " load";  // no label is called that
constexpr char kRound[] = "round";

std::optional<double> NumberOf(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty()
             ? std::optional(value)
             : std::nullopt;
}

double LoadOf(const LevelResult& level) {
  return level.spec.arrivals.open() ? level.spec.arrivals.rate : level.spec.arrivals.concurrency;
}

std::string WordsOf(const std::string& label) {
  static const std::map<std::string, std::string> kWords = {{"max_batch", "max batch"},
                                                            {"delay_us", "delay \u00b5s"},
                                                            {"request_batch", "request batch"}};
  const auto found = kWords.find(label);
  return found == kWords.end() ? label : found->second;
}

// "instances 2", but a model or a device says by itself what it is.
std::string Said(const std::string& label, const std::string& value) {
  return label == "model" || label == "device" ? value : WordsOf(label) + " " + value;
}

std::set<std::string> VariedLabels(const std::vector<LevelResult>& levels) {
  std::map<std::string, std::set<std::string>> values;
  for (const LevelResult& level : levels) {
    for (const auto& [label, value] : level.spec.labels) {
      values[label];
    }
  }
  for (auto& [label, set] : values) {
    for (const LevelResult& level : levels) {
      const auto found = level.spec.labels.find(label);
      set.insert(found == level.spec.labels.end() ? "" : found->second);
    }
  }
  std::set<std::string> varied;
  for (const auto& [label, set] : values) {
    if (set.size() > 1) {
      varied.insert(label);
    }
  }
  return varied;
}

// The load where some combination of the other labels has more than one; else the label of numbers
// with most values; "" = nothing varies.
std::string ChooseAxis(const std::vector<LevelResult>& levels,
                       const std::vector<std::size_t>& chosen) {
  std::map<std::map<std::string, std::string>, std::set<double>> loads;
  std::map<std::string, std::set<std::string>> values;
  std::set<std::string> words;
  for (const std::size_t index : chosen) {
    auto labels = levels[index].spec.labels;
    labels.erase(kRound);
    loads[labels].insert(LoadOf(levels[index]));
    for (const auto& [label, value] : labels) {
      values[label].insert(value);
      if (!NumberOf(value)) {
        words.insert(label);
      }
    }
  }
  for (const auto& [labels, set] : loads) {
    if (set.size() > 1) {
      return kLoad;
    }
  }
  std::string best;
  std::size_t most = 1;
  for (const auto& [label, set] : values) {
    if (set.size() > most && words.count(label) == 0) {
      best = label;
      most = set.size();
    }
  }
  return best.empty() ? kLoad : best;
}

ReportLines LinesOver(const std::vector<LevelResult>& levels,
                      const std::vector<std::size_t>& chosen, bool open) {
  ReportLines lines;
  const std::string axis = ChooseAxis(levels, chosen);
  lines.x_name = axis != kLoad ? WordsOf(axis)
                 : open        ? "offered load, requests/s"
                               : "requests at a time (closed loop)";
  const std::set<std::string> varied = VariedLabels(levels);
  std::map<std::string, std::size_t> by_name;
  for (const std::size_t index : chosen) {
    const LevelResult& level = levels[index];
    std::string name;
    for (const auto& [label, value] : level.spec.labels) {
      if (label != axis && label != kRound && varied.count(label) > 0) {
        name += (name.empty() ? "" : ", ") + Said(label, value);
      }
    }
    if (axis != kLoad) {
      std::set<double> loads;
      for (const std::size_t other : chosen) {
        loads.insert(LoadOf(levels[other]));
      }
      if (loads.size() > 1) {
        name += (name.empty() ? "" : ", ") + load::Describe(level.spec.arrivals);
      }
    }
    const auto [at, is_new] = by_name.emplace(name, lines.series.size());
    if (is_new) {
      lines.series.push_back({name, {}});
    }
    const auto label = level.spec.labels.find(axis);
    const double x = axis == kLoad                      ? LoadOf(level)
                     : label == level.spec.labels.end() ? 0
                                                        : NumberOf(label->second).value_or(0);
    std::vector<ReportSeries::Point>& points = lines.series[at->second].points;
    const auto point = std::find_if(points.begin(), points.end(),
                                    [&](const ReportSeries::Point& one) { return one.x == x; });
    if (point == points.end()) {
      points.push_back({x, {index}});
    } else {
      point->levels.push_back(index);
    }
  }
  for (ReportSeries& series : lines.series) {
    std::sort(series.points.begin(), series.points.end(),
              [](const auto& a, const auto& b) { return a.x < b.x; });
  }
  return lines;
}

}  // namespace

std::vector<ReportLines> LinesOf(const std::vector<LevelResult>& levels) {
  std::vector<ReportLines> all;
  for (const bool open : {true, false}) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (levels[i].spec.arrivals.open() == open) {
        chosen.push_back(i);
      }
    }
    if (!chosen.empty()) {
      all.push_back(LinesOver(levels, chosen, open));
    }
  }
  return all;
}

std::vector<std::string> LevelNames(const std::vector<LevelResult>& levels) {
  const std::set<std::string> varied = VariedLabels(levels);
  std::vector<std::string> names;
  for (const LevelResult& level : levels) {
    std::string name;
    for (const auto& [label, value] : level.spec.labels) {
      if (varied.count(label) > 0) {
        name += (name.empty() ? "" : ", ") + Said(label, value);
      }
    }
    names.push_back(name + (name.empty() ? "" : ", ") + load::Describe(level.spec.arrivals));
  }
  return names;
}

}  // namespace headrace::bench

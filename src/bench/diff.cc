#include "bench/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/svg_axis.h"
#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

DiffRow Compare(const LevelPair& pair, const MetricChoice& metric, double least_change) {
  DiffRow row;
  row.level = pair.name;
  row.metric = metric;
  row.before = MetricOf(pair.before, metric);
  row.after = MetricOf(pair.after, metric);
  const bool share = metric.metric == Metric::kFailures;
  row.change = share ? row.after.value - row.before.value
               : row.before.value > 0 && std::isfinite(row.before.value)
                   ? row.after.value / row.before.value - 1
                   : 0;
  // Both endless: nothing is known of a difference.
  const bool above = row.after.low > row.before.high;
  const bool below = row.after.high < row.before.low;
  const bool enough = share ? std::abs(row.change) > 0 : !(std::abs(row.change) <= least_change);
  const bool endless = std::isinf(row.before.value) != std::isinf(row.after.value);
  if ((above || below) && (enough || endless)) {
    row.verdict = above == metric.higher_is_better() ? DiffVerdict::kBetter : DiffVerdict::kWorse;
  }
  return row;
}

void CompareEnvironments(const Environment& a, const Environment& b,
                         std::vector<std::string>& lines) {
  const auto compare = [&](const char* what, const std::string& before, const std::string& after) {
    if (before != after) {
      lines.push_back(fmt::format("{}: '{}' before, '{}' after", what, before, after));
    }
  };
  compare("processor", a.cpu_model, b.cpu_model);
  compare("processors", std::to_string(a.cpu_count), std::to_string(b.cpu_count));
  compare("kernel", a.kernel, b.kernel);
  compare("governor", a.governor, b.governor);
  compare("GPUs", a.gpus.empty() ? "" : a.gpus.front().name,
          b.gpus.empty() ? "" : b.gpus.front().name);
  compare("server", a.server_name + " " + a.server_version, b.server_name + " " + b.server_version);
}

std::string ChangeText(const DiffRow& row) {
  if (!std::isfinite(row.change)) {
    return "";
  }
  return fmt::format("{:+.1f} %{}", row.change * 100,
                     row.metric.metric == Metric::kFailures ? " points" : "");
}

std::string IntervalText(const Estimate& estimate, const MetricChoice& metric) {
  if (!(estimate.high > estimate.low)) {
    return MetricText(estimate.value, metric);
  }
  return fmt::format("{} ({} to {})", MetricText(estimate.value, metric),
                     MetricText(std::max(0.0, estimate.low), metric),
                     MetricText(estimate.high, metric));
}

void WriteEstimate(protocol::JsonWriter& json, const char* key, const Estimate& estimate) {
  json.Key(key).BeginObject().Key("value").Double(estimate.value);
  json.Key("low").Double(estimate.low).Key("high").Double(estimate.high).EndObject();
}

// Display width: the texts hold a few letters beyond ASCII.
std::string Padded(const std::string& text, std::size_t width) {
  const auto letters = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
  return text + std::string(width > letters ? width - letters : 0, ' ');
}

}  // namespace

std::string_view DiffVerdictName(DiffVerdict verdict) {
  return verdict == DiffVerdict::kBetter  ? "better"
         : verdict == DiffVerdict::kWorse ? "worse"
                                          : "no difference";
}

DiffResult Diff(const ResultDocument& before, const ResultDocument& after, double least_change) {
  DiffResult diff;
  LevelPairs pairs = MatchLevels(before, after);
  diff.only_before = std::move(pairs.only_before);
  diff.only_after = std::move(pairs.only_after);
  CompareEnvironments(before.environment, after.environment, diff.environment);
  for (const LevelPair& pair : pairs.pairs) {
    std::vector<MetricChoice> metrics = {{Metric::kThroughput, 0}, {Metric::kPercentile, 50}};
    if (pair.after.spec.sla) {
      metrics.insert(metrics.begin() + 1, {Metric::kGoodput, 0});
    }
    if (pair.after.spec.percentile != 50 && pair.after.spec.percentile != 99) {
      metrics.push_back({Metric::kPercentile, pair.after.spec.percentile});
    }
    metrics.push_back({Metric::kPercentile, 99});
    metrics.push_back({Metric::kMean, 0});
    metrics.push_back({Metric::kFailures, 0});
    for (const MetricChoice& metric : metrics) {
      diff.rows.push_back(Compare(pair, metric, least_change));
      diff.any_worse |= diff.rows.back().verdict == DiffVerdict::kWorse;
    }
  }
  return diff;
}

std::string DiffText(const DiffResult& diff) {
  std::string text;
  for (const std::string& line : diff.environment) {
    text += "note: measured elsewhere or otherwise: " + line + '\n';
  }
  std::string level;
  for (const DiffRow& row : diff.rows) {
    if (row.level != level) {
      level = row.level;
      text += level + '\n';
    }
    text += fmt::format("  {} {} {} {} {}\n", Padded(MetricName(row.metric), 11),
                        Padded(IntervalText(row.before, row.metric), 34),
                        Padded(IntervalText(row.after, row.metric), 34),
                        Padded(ChangeText(row), 16), DiffVerdictName(row.verdict));
  }
  for (const std::string& name : diff.only_before) {
    text += "only in the first: " + name + '\n';
  }
  for (const std::string& name : diff.only_after) {
    text += "only in the second: " + name + '\n';
  }
  return text;
}

std::string DiffJson(const DiffResult& diff) {
  std::string text;
  protocol::JsonWriter json(text);
  json.BeginObject().Key("any_worse").Bool(diff.any_worse).Key("rows").BeginArray();
  for (const DiffRow& row : diff.rows) {
    json.BeginObject().Key("level").String(row.level);
    json.Key("metric").String(MetricName(row.metric));
    WriteEstimate(json, "before", row.before);
    WriteEstimate(json, "after", row.after);
    json.Key("change").Double(row.change);
    json.Key("verdict").String(DiffVerdictName(row.verdict)).EndObject();
  }
  json.EndArray();
  const auto list = [&](const char* key, const std::vector<std::string>& lines) {
    json.Key(key).BeginArray();
    for (const std::string& line : lines) {
      json.String(line);
    }
    json.EndArray();
  };
  list("only_before", diff.only_before);
  list("only_after", diff.only_after);
  list("environment", diff.environment);
  json.EndObject();
  return text;
}

}  // namespace headrace::bench

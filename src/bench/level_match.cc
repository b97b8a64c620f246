#include "bench/level_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "bench/statistics.h"
#include "bench/svg_axis.h"
#include "bench/verdict.h"

namespace headrace::bench {
namespace {

std::string NameOf(const LevelResult& level) {
  std::string name;
  for (const auto& [label, value] : level.spec.labels) {
    if (label != "round") {
      name += (name.empty() ? "" : ", ") +
              (label == "model" || label == "device" ? value : label + " " + value);
    }
  }
  return name + (name.empty() ? "" : ", ") + load::Describe(level.spec.arrivals);
}

void Join(LatencyFigures& all, const LatencyFigures& more) {
  all.histogram.Merge(more.histogram);
  all.infinite_count += more.infinite_count;
  all.mean = all.histogram.Mean();
}

// With several rounds the interval of a rate is that of their mean.
Estimate RateOf(const std::vector<double>& rounds, const Estimate& otherwise) {
  return rounds.size() > 1 ? MeanInterval(rounds) : otherwise;
}

}  // namespace

std::vector<MatchedLevel> JoinRounds(const std::vector<LevelResult>& levels) {
  std::vector<MatchedLevel> joined;
  std::map<std::string, std::size_t> by_name;
  std::vector<std::vector<double>> throughputs, goodputs;
  for (const LevelResult& level : levels) {
    const std::string name = NameOf(level);
    const auto [at, is_new] = by_name.emplace(name, joined.size());
    if (is_new) {
      joined.push_back({name, level});
      throughputs.push_back({level.throughput});
      goodputs.push_back({level.goodput});
      continue;
    }
    LevelResult& all = joined[at->second].level;
    all.intended_count += level.intended_count;
    all.sent_count += level.sent_count;
    for (int i = 0; i < load::kOutcomeCount; ++i) {
      all.outcomes[i] += level.outcomes[i];
    }
    Join(all.response_time, level.response_time);
    Join(all.service_time, level.service_time);
    throughputs[at->second].push_back(level.throughput);
    goodputs[at->second].push_back(level.goodput);
  }
  for (std::size_t i = 0; i < joined.size(); ++i) {
    LevelResult& level = joined[i].level;
    level.throughput_interval = RateOf(throughputs[i], level.throughput_interval);
    if (throughputs[i].size() > 1) {
      level.throughput = level.throughput_interval.value;
      level.goodput = MeanInterval(goodputs[i]).value;
    }
  }
  return joined;
}

LevelPairs MatchLevels(const ResultDocument& before, const ResultDocument& after) {
  LevelPairs pairs;
  std::vector<MatchedLevel> old_levels = JoinRounds(before.levels);
  for (MatchedLevel& level : JoinRounds(after.levels)) {
    const auto found =
        std::find_if(old_levels.begin(), old_levels.end(),
                     [&](const MatchedLevel& one) { return one.name == level.name; });
    if (found == old_levels.end()) {
      pairs.only_after.push_back(level.name);
      continue;
    }
    pairs.pairs.push_back({level.name, std::move(found->level), std::move(level.level)});
    old_levels.erase(found);
  }
  for (const MatchedLevel& level : old_levels) {
    pairs.only_before.push_back(level.name);
  }
  return pairs;
}

std::string MetricName(const MetricChoice& choice) {
  switch (choice.metric) {
    case Metric::kThroughput:
      return "throughput";
    case Metric::kGoodput:
      return "goodput";
    case Metric::kMean:
      return "mean";
    case Metric::kMax:
      return "max";
    case Metric::kFailures:
      return "failures";
    case Metric::kPercentile:
      break;
  }
  return fmt::format("p{}", choice.percentile);
}

Estimate MetricOf(const LevelResult& level, const MetricChoice& choice) {
  const auto exact = [](double value) { return Estimate{value, value, value}; };
  const LatencyFigures& latency = level.response_time;
  const auto count = static_cast<double>(level.intended_count);
  switch (choice.metric) {
    case Metric::kThroughput: {
      Estimate estimate = level.throughput_interval;
      estimate.value = level.throughput;
      estimate.low = std::min(estimate.low, estimate.value);
      estimate.high = std::max(estimate.high, estimate.value);
      return estimate;
    }
    case Metric::kGoodput: {
      // As uncertain as the throughput that it is a part of.
      const Estimate throughput = MetricOf(level, {Metric::kThroughput, 0});
      const double part = throughput.value > 0 ? level.goodput / throughput.value : 0;
      return {level.goodput, throughput.low * part, throughput.high * part};
    }
    case Metric::kMean: {
      const auto samples = static_cast<double>(latency.histogram.count());
      const double half =
          samples > 1 ? 1.96 * latency.histogram.Deviation() / std::sqrt(samples) : 0;
      return {latency.mean, latency.mean - half, latency.mean + half};
    }
    case Metric::kMax:
      return exact(latency.infinite_count > 0 ? std::numeric_limits<double>::infinity()
                                              : static_cast<double>(latency.histogram.max()));
    case Metric::kFailures: {
      const auto failed = static_cast<double>(level.failure_count());
      if (count == 0) {
        return exact(0);
      }
      // Wilson's interval.
      const double z = 1.96, share = failed / count;
      const double middle = (share + z * z / (2 * count)) / (1 + z * z / count);
      const double half = z / (1 + z * z / count) *
                          std::sqrt(share * (1 - share) / count + z * z / (4 * count * count));
      return {share, std::max(0.0, middle - half), std::min(1.0, middle + half)};
    }
    case Metric::kPercentile:
      break;
  }
  return latency.Percentile(choice.percentile);
}

std::string MetricText(double value, const MetricChoice& choice) {
  if (choice.higher_is_better()) {
    return FigureText(value) + " /s";
  }
  return choice.metric == Metric::kFailures ? FigureText(value * 100) + " %" : DurationText(value);
}

}  // namespace headrace::bench

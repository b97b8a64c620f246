#include "bench/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace headrace::bench {
namespace {

std::optional<double> NumberOf(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<MetricChoice> MetricOfName(std::string_view name) {
  constexpr std::pair<std::string_view, Metric> kNames[] = {
      {"throughput", Metric::kThroughput},
      {"goodput", Metric::kGoodput},
      {"mean", Metric::kMean},
      {"max", Metric::kMax},
      {"failures", Metric::kFailures},
  };
  for (const auto& [known, metric] : kNames) {
    if (name == known) {
      return MetricChoice{metric, 0};
    }
  }
  if (name.starts_with('p')) {
    const auto percentile = NumberOf(name.substr(1));
    if (percentile && *percentile > 0 && *percentile < 100 && !name.starts_with("p+")) {
      return MetricChoice{Metric::kPercentile, *percentile};
    }
  }
  return std::nullopt;
}

Status ReadLimit(std::string_view text, GateCondition& condition) {
  const auto wrong = [&](std::string_view right) {
    return InvalidArgument("--gate: '{}': the limit '{}' is wrong; {}", condition.text, text,
                           right);
  };
  const bool failures = condition.metric.metric == Metric::kFailures;
  if ((text.starts_with('+') || text.starts_with('-')) && text.ends_with('%')) {
    const auto percent = NumberOf(text.substr(0, text.size() - 1));
    if (!percent) {
      return wrong("a change is such as +5% or -2.5%");
    }
    condition.relative = true;
    condition.limit = *percent / 100;
    return OkStatus();
  }
  double factor = 0;
  const auto take = [&](std::string_view unit, double nanos) {
    if (factor == 0 && text.ends_with(unit)) {
      text.remove_suffix(unit.size());
      factor = nanos;
    }
  };
  const char* right = "a latency is such as 100ms, 500us, 1.5s, or a change such as +5%";
  if (failures) {
    right = "a share of failures is such as 0.1%, or a change such as +0.1%";
    take("%", 0.01);
  } else if (condition.metric.higher_is_better()) {
    right = "a rate is such as 500/s, or a change such as -5%";
    take("/s", 1);
    factor = 1;
  } else {
    take("us", 1e3);
    take("ms", 1e6);
    take("s", 1e9);
  }
  const auto number = NumberOf(text);
  if (!number || *number < 0 || factor == 0) {
    return wrong(right);
  }
  condition.limit = *number * factor;
  return OkStatus();
}

Result<GateCondition> ParseCondition(const std::string& text) {
  GateCondition condition;
  condition.text = text;
  const std::size_t at = text.find_first_of("<>");
  if (at == std::string::npos) {
    return InvalidArgument("--gate: '{}' has no <=, >=, < or >; an example is 'p99<=+5%'", text);
  }
  condition.at_most = text[at] == '<';
  condition.strict = at + 1 >= text.size() || text[at + 1] != '=';
  const auto metric = MetricOfName(std::string_view(text).substr(0, at));
  if (!metric) {
    return InvalidArgument(
        "--gate: '{}': '{}' is none of throughput, goodput, mean, max, failures and p50, p99, ...",
        text, text.substr(0, at));
  }
  condition.metric = *metric;
  HEADRACE_RETURN_IF_ERROR(
      ReadLimit(std::string_view(text).substr(at + (condition.strict ? 1 : 2)), condition));
  return condition;
}

GateFinding Check(const GateCondition& condition, const std::string& name,
                  const LevelResult* before, const LevelResult& level) {
  const std::string head = fmt::format("{}: {}: ", name, condition.text);
  if (condition.relative && before == nullptr) {
    return {false, head + "missed: the baseline has no such level"};
  }
  const double value = MetricOf(level, condition.metric).value;
  double limit = condition.limit;
  std::string against;
  if (condition.relative) {
    const double base = MetricOf(*before, condition.metric).value;
    const bool points = condition.metric.metric == Metric::kFailures;
    limit = points ? base + condition.limit : base * (1 + condition.limit);
    against = fmt::format(", baseline {}", MetricText(base, condition.metric));
    if (!points && base > 0 && std::isfinite(base) && std::isfinite(value)) {
      against += fmt::format(" ({:+.1f} %)", (value / base - 1) * 100);
    }
  }
  // Both may be endless: what never answers is not within any limit.
  const bool met = std::isfinite(value) && (condition.at_most ? value < limit : value > limit);
  const bool equal = !condition.strict && std::isfinite(value) && value == limit;
  return {met || equal, fmt::format("{}{}{}: {}", head, MetricText(value, condition.metric),
                                    against, met || equal ? "met" : "missed")};
}

}  // namespace

Result<std::vector<GateCondition>> ParseGate(std::string_view text) {
  std::string bare;
  std::copy_if(text.begin(), text.end(), std::back_inserter(bare),
               [](char c) { return c != ' ' && c != '\t'; });
  std::vector<GateCondition> gate;
  for (std::size_t begin = 0; begin <= bare.size();) {
    const std::size_t end = std::min(bare.find(',', begin), bare.size());
    HEADRACE_ASSIGN_OR_RETURN(GateCondition condition,
                              ParseCondition(bare.substr(begin, end - begin)));
    gate.push_back(std::move(condition));
    begin = end + 1;
  }
  return gate;
}

bool NeedsBaseline(const std::vector<GateCondition>& gate) {
  return std::any_of(gate.begin(), gate.end(),
                     [](const GateCondition& condition) { return condition.relative; });
}

Result<Gate> ReadGate(const std::string& text, const std::string& baseline_path) {
  Gate gate;
  if (text.empty()) {
    return baseline_path.empty() ? Result<Gate>(std::move(gate))
                                 : InvalidArgument(
                                       "--baseline: is what --gate compares with, and "
                                       "there is none: --gate 'p99<=+5%'");
  }
  HEADRACE_ASSIGN_OR_RETURN(gate.conditions, ParseGate(text));
  if (!baseline_path.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(gate.baseline, ReadResultFile(baseline_path));
  } else if (NeedsBaseline(gate.conditions)) {
    return InvalidArgument("--gate: '{}' compares, so it needs --baseline FILE", text);
  }
  return gate;
}

std::vector<GateFinding> CheckGate(const Gate& gate, const ResultDocument& result) {
  return CheckGate(gate.conditions, gate.baseline ? &*gate.baseline : nullptr, result);
}

std::vector<GateFinding> CheckGate(const std::vector<GateCondition>& gate,
                                   const ResultDocument* baseline, const ResultDocument& result) {
  const std::vector<MatchedLevel> before =
      baseline == nullptr ? std::vector<MatchedLevel>() : JoinRounds(baseline->levels);
  std::vector<GateFinding> findings;
  for (const MatchedLevel& level : JoinRounds(result.levels)) {
    const auto found = std::find_if(before.begin(), before.end(), [&](const MatchedLevel& one) {
      return one.name == level.name;
    });
    for (const GateCondition& condition : gate) {
      findings.push_back(Check(condition, level.name,
                               found == before.end() ? nullptr : &found->level, level.level));
    }
  }
  if (findings.empty()) {
    findings.push_back({false, "missed: nothing was measured"});
  }
  return findings;
}

}  // namespace headrace::bench

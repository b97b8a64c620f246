#include "bench/text_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/breakdown.h"
#include "bench/verdict.h"

namespace headrace::bench {
namespace {

std::string With(const Estimate& estimate) {
  if (!std::isfinite(estimate.high)) {
    return DurationText(estimate.value);
  }
  return fmt::format("{} ({} to {})", DurationText(estimate.value), DurationText(estimate.low),
                     DurationText(estimate.high));
}

std::string Percentiles(const LatencyFigures& figures) {
  std::string text;
  for (const double percentile : {50.0, 90.0, 95.0, 99.0, 99.9}) {
    text +=
        fmt::format("p{:g} {}  ", percentile, DurationText(figures.Percentile(percentile).value));
  }
  const double max =
      figures.infinite_count > 0 ? HUGE_VAL : static_cast<double>(figures.histogram.max());
  return text + fmt::format("max {}", DurationText(max));
}

std::string Bar(double part, double whole) {
  constexpr double kWidth = 32;
  const auto length = static_cast<std::size_t>(std::lround(kWidth * part / std::max(whole, 1.0)));
  return std::string(std::min<std::size_t>(length, 32), '#');
}

std::string BreakdownText(const LevelResult& level, const ResultDocument& document) {
  if (document.workload.size() != 1 || level.response_time.histogram.count() == 0) {
    return "";
  }
  std::string text = "  where the time goes (means):\n";
  for (const TimePart& part : Breakdown(level, document.workload.front().model)) {
    text += fmt::format("    {:<18} {:>9}  {:<32}  {}\n", part.name, DurationText(part.mean),
                        Bar(part.mean, level.response_time.mean), part.meaning);
  }
  return text;
}

std::string ServerText(const LevelResult& level) {
  std::string text;
  for (const auto& [model, figures] : level.server) {
    text +=
        fmt::format("  server {}: {} inferences in {} executions, mean batch {:.2f}", model,
                    NumberText(static_cast<double>(figures.inference_count)),
                    NumberText(static_cast<double>(figures.execution_count)), figures.batch_mean());
    std::string batches;
    for (const auto& [size, count] : figures.batches) {
      batches += fmt::format("{}{} x {}", batches.empty() ? "; batches: " : ", ",
                             NumberText(static_cast<double>(count)), size);
    }
    text += batches + "\n";
  }
  for (const auto& [name, gauge] : level.gauges) {
    text += fmt::format("  {} {:.4g} (max {:.4g})\n", name, gauge.mean, gauge.max);
  }
  return text;
}

std::string ItemsText(const LevelResult& level) {
  std::string text;
  for (const ItemFigures& item : level.items) {
    text += fmt::format("  {}: {} requests, goodput {}/s, {}\n", item.name,
                        NumberText(static_cast<double>(item.count)), NumberText(item.goodput),
                        Percentiles(item.response_time));
  }
  return text;
}

std::string SecondsText(const LevelResult& level) {
  std::string text = "  second  arrived     done   failed         p50         p99\n";
  for (std::size_t i = 0; i < level.seconds.size(); ++i) {
    const Second& second = level.seconds[i];
    text += fmt::format("  {:>6}  {:>7}  {:>7}  {:>7}  {:>10}  {:>10}\n", i + 1, second.arrived,
                        second.done, second.failed, DurationText(static_cast<double>(second.p50)),
                        DurationText(static_cast<double>(second.p99)));
  }
  return text;
}

std::string ClientText(const LevelResult& level) {
  const ClientFigures& client = level.client;
  std::string text = fmt::format(
      "  client      {:.1f} us of CPU per request, busiest of {} "
      "sender{} {:.0f} % busy",
      client.cpu_per_request_us, client.sender_count, client.sender_count == 1 ? "" : "s",
      client.cpu_share * 100);
  if (level.spec.arrivals.open()) {
    text += fmt::format(", send lag p99 {}", DurationText(level.send_lag.Percentile(99).value));
  }
  if (level.cold_first_request) {
    text += fmt::format(", first request {}",
                        DurationText(static_cast<double>(*level.cold_first_request)));
  }
  return text + "\n";
}

}  // namespace

std::string VerdictText(const Verdict& verdict) {
  std::string remarks;
  for (const Verdict::Line& line : verdict.lines) {
    const std::string_view name = RemarkName(line.remark);
    if (remarks.find(name) == std::string::npos) {
      remarks += fmt::format("{}{}", remarks.empty() ? "" : ", ", name);
    }
  }
  if (remarks.empty()) {
    return "stable";
  }
  return (verdict.stable ? "stable: " : "not stable: ") + remarks;
}

std::string HeadText(const ResultDocument& document) {
  std::string what;
  for (const ItemDescription& item : document.workload) {
    what +=
        fmt::format("{}{}{}", what.empty() ? "" : "; ", item.name.empty() ? item.model : item.name,
                    item.inputs.empty() ? "" : " (" + item.inputs + ")");
  }
  return fmt::format("{} at {} ({}{}{}), seed {}", what, document.target.address,
                     document.target.protocol, document.target.options.empty() ? "" : ", ",
                     document.target.options, document.seed);
}

std::string LevelText(const LevelResult& level, const ResultDocument& document, int verbosity) {
  std::string text = fmt::format("{}: measured {:.2f} s after {:.1f} s of warm-up, {} requests\n",
                                 load::Describe(level.spec.arrivals), level.duration_s(),
                                 static_cast<double>(level.warmup_took) * 1e-9,
                                 NumberText(static_cast<double>(level.intended_count)));
  text += fmt::format("  throughput  {} inferences/s", NumberText(level.throughput));
  if (std::isfinite(level.throughput_interval.high)) {
    text += fmt::format(" ({} to {})", NumberText(level.throughput_interval.low),
                        NumberText(level.throughput_interval.high));
  }
  if (level.spec.sla) {
    text += fmt::format(", goodput {} requests/s within {}", NumberText(level.goodput),
                        DurationText(static_cast<double>(*level.spec.sla)));
  }
  if (level.first_response_time.count() > 0) {
    text += fmt::format(", {} responses/s", NumberText(level.response_rate));
  }
  text += "\n";
  if (level.response_time.count() > 0) {
    text +=
        fmt::format("  response    {}{}\n", Percentiles(level.response_time),
                    level.spec.arrivals.open() ? "  (from the intended send)" : "  (closed loop)");
    const double wanted = level.spec.percentile;
    text += fmt::format("  p{:<10g} {} with 95 % confidence\n", wanted,
                        With(level.response_time.Percentile(wanted)));
    if (level.spec.arrivals.open()) {
      text += fmt::format("  service     {}  (from the send)\n", Percentiles(level.service_time));
    }
  }
  if (level.first_response_time.count() > 0) {
    text +=
        fmt::format("  first       {}  (first response)\n", Percentiles(level.first_response_time));
  }
  if (level.failure_time.count() > 0) {
    text += fmt::format("  failures    {}\n", Percentiles(level.failure_time));
  }
  text += ClientText(level) + ItemsText(level) + BreakdownText(level, document);
  if (verbosity > 0) {
    text += ServerText(level);
  }
  if (verbosity > 1) {
    text += SecondsText(level);
  }
  text += fmt::format("  verdict     {}\n", VerdictText(level.verdict));
  for (const Verdict::Line& line : level.verdict.lines) {
    text += fmt::format("              - {}\n", line.text);
  }
  return text;
}

std::string LevelTable(std::span<const LevelResult> levels) {
  std::string text = fmt::format("{:<28} {:>12} {:>10} {:>10} {:>10} {:>10} {:>8}  {}\n", "load",
                                 "inferences/s", "p50", "p90", "p99", "p99.9", "failed", "verdict");
  for (const LevelResult& level : levels) {
    const LatencyFigures& time = level.response_time;
    text += fmt::format(
        "{:<28} {:>12} {:>10} {:>10} {:>10} {:>10} {:>8}  {}\n",
        load::Describe(level.spec.arrivals), NumberText(level.throughput),
        DurationText(time.Percentile(50).value), DurationText(time.Percentile(90).value),
        DurationText(time.Percentile(99).value), DurationText(time.Percentile(99.9).value),
        NumberText(static_cast<double>(level.failure_count())), VerdictText(level.verdict));
  }
  return text;
}

std::string ProbeText(const CapacityProbe& probe) {
  return fmt::format("{:>10}/s  {}{}  {}  ({:.1f} s)", NumberText(probe.rate),
                     probe.verdict == ProbeVerdict::kMet ? "met   " : "missed",
                     probe.certain ? "" : "?", probe.reason, probe.level.duration_s());
}

std::string CapacityText(const CapacityResult& capacity, const CapacitySpec& spec) {
  const std::string sla =
      fmt::format("p{:g} within {}", spec.percentile, DurationText(static_cast<double>(spec.sla)));
  std::string text;
  if (capacity.rate > 0) {
    text = fmt::format("capacity with {}: {} requests/s, {} inferences/s{}\n", sla,
                       NumberText(capacity.rate), NumberText(capacity.throughput),
                       capacity.confirmed_met ? " (measured again, and held)" : "");
  } else {
    text = fmt::format("capacity with {}: none found\n", sla);
  }
  return text + fmt::format("  what binds: {}\n", capacity.reason);
}

}  // namespace headrace::bench

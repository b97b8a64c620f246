#include "bench/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/statistics.h"

namespace headrace::bench {
namespace {

// Seconds that were measured whole.
std::vector<Second> WholeSeconds(const LevelResult& level) {
  const auto whole = static_cast<std::size_t>(level.duration_s() + 1e-6);
  const auto count = std::min(whole, level.seconds.size());
  return {level.seconds.begin(), level.seconds.begin() + static_cast<std::ptrdiff_t>(count)};
}

class Judgement {
 public:
  explicit Judgement(const LevelResult& level)
      : level_(level), whole_seconds_(WholeSeconds(level)) {}

  Verdict Take() {
    Stopped();
    const bool backlog = Backlog();
    Client(backlog);
    if (!backlog) {
      Drift();
    }
    Samples();
    Failures();
    Machine();
    return std::move(verdict_);
  }

 private:
  template <typename... Args>
  void Say(Remark remark, fmt::format_string<Args...> format, Args&&... args) {
    verdict_.lines.push_back({remark, fmt::format(format, std::forward<Args>(args)...)});
    verdict_.stable = verdict_.stable && remark == Remark::kFailures;
  }

  bool open() const { return level_.spec.arrivals.open(); }

  void Stopped() {
    if (level_.stop_reason == StopReason::kInterrupted) {
      Say(Remark::kStoppedEarly, "interrupted after {:.1f} s of {:.1f} s: this is what is known",
          level_.duration_s(), static_cast<double>(level_.spec.stop.duration) * 1e-9);
    } else if (level_.stop_reason == StopReason::kServerGone) {
      Say(Remark::kStoppedEarly,
          "the server went away after {:.1f} s: no connection could be made any more",
          level_.duration_s());
    }
  }

  // Whether answers fall behind arrivals.
  bool Backlog() {
    constexpr std::size_t kSecondsMin = 4;
    constexpr double kShareMin = 0.02;
    if (!open() || whole_seconds_.size() < kSecondsMin) {
      return false;
    }
    std::vector<double> backlog;
    double out = 0;
    double arrived = 0;
    for (const Second& second : whole_seconds_) {
      arrived += static_cast<double>(second.arrived);
      out += static_cast<double>(second.arrived) - static_cast<double>(second.done) -
             static_cast<double>(second.failed);
      backlog.push_back(out);
    }
    const double rate = arrived / static_cast<double>(whole_seconds_.size());
    const Estimate slope = LineSlope(backlog);
    if (slope.low <= kShareMin * rate || out <= kShareMin * arrived) {
      return false;
    }
    Say(Remark::kBacklog,
        "answers fall behind arrivals by {}/s of {}/s: the rate is above the capacity, which is "
        "about {}/s; latency grows for as long as one measures",
        NumberText(slope.value), NumberText(rate), NumberText(level_.request_rate));
    return true;
  }

  void Client(bool backlog) {
    const ClientFigures& client = level_.client;
    const Nanos lag = level_.send_lag.histogram.ValueAtPercentile(99);
    const double p99 = level_.response_time.Percentile(99).value;
    constexpr double kLagShareMax = 0.1;
    constexpr Nanos kLagMin = 200 * kMicrosecond;
    constexpr double kCpuMax = 0.9;
    const bool waited = client.waited_for_connection_count * 100 > level_.sent_count;
    const bool late = open() && !waited && lag > kLagMin &&
                      static_cast<double>(lag) > kLagShareMax * std::min(p99, 1e18);
    if (late) {
      constexpr double kMachineBusy = 0.9;
      const bool machine_full = level_.machine.cpu_busy_share > kMachineBusy;
      Say(Remark::kClientBound,
          "requests left late: send lag p99 {} of a response time p99 of {}, the busiest sender "
          "{:.0f} % busy, this machine's processors {:.0f} %: {}",
          DurationText(static_cast<double>(lag)), DurationText(p99), client.cpu_share * 100,
          level_.machine.cpu_busy_share * 100,
          machine_full ? "another machine for the client" : "more --senders");
    } else if (client.cpu_share > kCpuMax && !backlog) {
      Say(Remark::kClientBound, "the busiest sender used {:.0f} % of a processor: more --senders",
          client.cpu_share * 100);
    }
    if (waited && !backlog && open()) {
      Say(Remark::kClientBound,
          "{} requests waited for a free connection: raise --connections-max if the server is to "
          "see them at once",
          NumberText(static_cast<double>(client.waited_for_connection_count)));
    }
    if (client.outstanding_max_hit_count > 0) {
      Say(Remark::kClientBound,
          "{} requests waited because --outstanding-max were out: their wait is in the response "
          "time",
          NumberText(static_cast<double>(client.outstanding_max_hit_count)));
    }
  }

  void Drift() {
    constexpr std::size_t kSecondsMin = 8;
    constexpr double kPValueMax = 0.01;
    constexpr double kShareMin = 0.1;
    constexpr double kFloor = 50'000;
    if (whole_seconds_.size() < kSecondsMin) {
      return;
    }
    std::vector<double> medians;
    std::vector<double> rates;
    for (const Second& second : whole_seconds_) {
      medians.push_back(static_cast<double>(second.p50));
      rates.push_back(second.throughput);
    }
    const auto steps = static_cast<double>(whole_seconds_.size() - 1);
    const Trend trend = MannKendall(medians);
    const double moved = trend.slope * steps;
    const double median = Median(medians);
    if (trend.p_value < kPValueMax && std::abs(moved) > std::max(kShareMin * median, kFloor)) {
      Say(Remark::kDrift,
          "p50 {} by {} ({:.0f} %) over {:.0f} s (Mann-Kendall, p = {:.2g}): not stable; warm up "
          "or measure for longer, and look for what changes",
          moved > 0 ? "rises" : "falls", DurationText(std::abs(moved)),
          std::abs(moved) / std::max(median, 1.0) * 100, steps + 1, trend.p_value);
      return;
    }
    const Trend rate = MannKendall(rates);
    const double gained = rate.slope * steps;
    if (!open() && rate.p_value < kPValueMax && std::abs(gained) > kShareMin * Median(rates)) {
      Say(Remark::kDrift,
          "throughput {} by {}/s over {:.0f} s (Mann-Kendall, p = {:.2g}): not stable",
          gained > 0 ? "rises" : "falls", NumberText(std::abs(gained)), steps + 1, rate.p_value);
    }
  }

  void Samples() {
    const std::uint64_t count = level_.response_time.count();
    const std::uint64_t needed = SamplesForPercentile(level_.spec.percentile);
    if (count >= needed || level_.stop_reason == StopReason::kSlaMissed ||
        level_.stop_reason == StopReason::kBacklog) {
      return;
    }
    const double rate = static_cast<double>(count) / std::max(level_.duration_s(), 1e-9);
    const std::string wait = rate > 0 ? fmt::format(", which takes {:.0f} s at this rate",
                                                    std::ceil(static_cast<double>(needed) / rate))
                                      : std::string();
    Say(Remark::kTooFewForPercentile, "{} requests cannot bound p{:g} from above: {} are needed{}",
        NumberText(static_cast<double>(count)), level_.spec.percentile,
        NumberText(static_cast<double>(needed)), wait);
  }

  void Failures() {
    const std::uint64_t count = level_.failure_count();
    if (count == 0) {
      return;
    }
    std::string classes;
    for (int i = 1; i < load::kOutcomeCount; ++i) {
      if (level_.outcomes[i] > 0) {
        classes += fmt::format("{}{} {}", classes.empty() ? "" : ", ",
                               load::OutcomeName(static_cast<load::Outcome>(i)),
                               NumberText(static_cast<double>(level_.outcomes[i])));
      }
    }
    std::string statuses;
    for (const auto& [status, times] : level_.wire_statuses) {
      if (status != 0) {
        statuses += fmt::format("{}{} x {}", statuses.empty() ? "; status " : ", ", status,
                                NumberText(static_cast<double>(times)));
      }
    }
    Say(Remark::kFailures, "{} of {} requests failed ({:.3g} %): {}{}",
        NumberText(static_cast<double>(count)),
        NumberText(static_cast<double>(level_.intended_count)),
        100.0 * static_cast<double>(count) /
            static_cast<double>(std::max<std::uint64_t>(level_.intended_count, 1)),
        classes, statuses);
  }

  void Machine() {
    const MachineFigures& machine = level_.machine;
    constexpr double kStealMax = 0.01;
    constexpr double kThrottledShareMax = 0.01;
    if (machine.steal_share > kStealMax) {
      Say(Remark::kNoisyMachine,
          "the hypervisor took {:.1f} % of the processors' time: measure on a quieter machine",
          machine.steal_share * 100);
    }
    if (machine.thermal_event_count > 0) {
      Say(Remark::kNoisyMachine, "the processors were throttled {} times because of their heat",
          machine.thermal_event_count);
    }
    if (machine.quota_throttled_s > kThrottledShareMax * level_.duration_s()) {
      Say(Remark::kNoisyMachine,
          "this process's control group was out of its processor quota for {:.2f} s",
          machine.quota_throttled_s);
    }
  }

  const LevelResult& level_;
  const std::vector<Second> whole_seconds_;
  Verdict verdict_;
};

}  // namespace

Verdict Judge(const LevelResult& level) { return Judgement(level).Take(); }

std::string NumberText(double value) {
  if (!std::isfinite(value)) {
    return "unbounded";
  }
  const double size = std::abs(value);
  const int digits = size >= 99.95 || size == std::floor(size) ? 0 : size >= 9.995 ? 1 : 2;
  std::string text = fmt::format("{:.{}f}", value, digits);
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  const std::size_t point = std::min(text.find('.'), text.size());
  for (std::size_t at = point; at > first + 3; at -= 3) {
    text.insert(at - 3, ",");
  }
  return text;
}

}  // namespace headrace::bench

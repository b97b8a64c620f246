#include "bench/capacity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "bench/statistics.h"
#include "bench/verdict.h"

namespace headrace::bench {
namespace {

bool Has(const LevelResult& level, Remark remark) {
  return std::any_of(level.verdict.lines.begin(), level.verdict.lines.end(),
                     [remark](const Verdict::Line& line) { return line.remark == remark; });
}

bool WasInterrupted(const LevelResult& level) {
  return level.stop_reason == StopReason::kInterrupted ||
         level.stop_reason == StopReason::kServerGone;
}

double FailureShare(const LevelResult& level) {
  return level.intended_count == 0 ? 0
                                   : static_cast<double>(level.failure_count()) /
                                         static_cast<double>(level.intended_count);
}

class Search {
 public:
  Search(Session& session, const CapacitySpec& spec,
         const std::function<void(const CapacityProbe&)>& on_probe)
      : session_(session), spec_(spec), on_probe_(on_probe) {}

  Result<CapacityResult> Take() {
    HEADRACE_ASSIGN_OR_RETURN(double rate, StartRate());
    HEADRACE_RETURN_IF_ERROR(Bracket(rate));
    HEADRACE_RETURN_IF_ERROR(Bisect());
    HEADRACE_RETURN_IF_ERROR(Confirm());
    result_.rate = met_;
    result_.rate_missed = missed_;
    Explain();
    return std::move(result_);
  }

 private:
  // Half of what a short closed loop gets: its latency is that of a queue that is never empty.
  Result<double> StartRate() {
    if (spec_.rate_start > 0) {
      return std::clamp(spec_.rate_start, spec_.rate_min, spec_.rate_max);
    }
    constexpr int kConcurrency = 8;
    constexpr double kShare = 0.5;
    HEADRACE_ASSIGN_OR_RETURN(LevelResult level, ClosedProbe(session_, kConcurrency, spec_.level));
    result_.interrupted = WasInterrupted(level);
    return std::clamp(kShare * level.request_rate, spec_.rate_min, spec_.rate_max);
  }

  LevelSpec SpecAt(double rate) const {
    LevelSpec level = spec_.level;
    if (!level.arrivals.open()) {
      level.arrivals.kind = load::ArrivalSpec::Kind::kPoisson;
    }
    level.arrivals.rate = rate;
    level.arrivals.seed += result_.probes.size();
    level.percentile = spec_.percentile;
    level.sla = spec_.sla;
    level.failure_share_max = spec_.failure_share_max;
    level.stop.decide_sla = true;
    return level;
  }

  bool done() const {
    return result_.interrupted ||
           result_.probes.size() >= static_cast<std::size_t>(spec_.probe_count_max);
  }

  // Measures at `rate`, and narrows the bracket.
  Status Probe(double rate) {
    HEADRACE_ASSIGN_OR_RETURN(LevelResult level, session_.Run(SpecAt(rate)));
    result_.interrupted = WasInterrupted(level);
    CapacityProbe& probe = result_.probes.emplace_back();
    probe.rate = rate;
    Decide(level, probe);
    probe.level = std::move(level);
    if (on_probe_) {
      on_probe_(probe);
    }
    if (result_.interrupted) {
      return OkStatus();
    }
    if (probe.verdict == ProbeVerdict::kMet) {
      met_ = std::max(met_, rate);
      result_.throughput = rate == met_ ? probe.level.throughput : result_.throughput;
    } else {
      missed_ = std::min(missed_.value_or(rate), rate);
      client_bound_ = rate == *missed_ && Has(probe.level, Remark::kClientBound);
    }
    return OkStatus();
  }

  void Decide(const LevelResult& level, CapacityProbe& probe) const {
    const Estimate latency = level.response_time.Percentile(spec_.percentile);
    const double failures = FailureShare(level);
    const auto sla = static_cast<double>(spec_.sla);
    std::string measured = fmt::format("p{:g} {}", spec_.percentile, DurationText(latency.value));
    if (std::isfinite(latency.high)) {
      measured += fmt::format(" ({} to {})", DurationText(latency.low), DurationText(latency.high));
    }
    if (WasInterrupted(level)) {
      probe.reason = "interrupted";
    } else if (level.stop_reason == StopReason::kBacklog || Has(level, Remark::kBacklog)) {
      probe.certain = true;
      probe.reason = fmt::format("answers fall behind arrivals; the server takes about {}/s",
                                 NumberText(level.request_rate));
    } else if (failures > spec_.failure_share_max) {
      probe.certain = true;
      probe.reason = fmt::format("{:.3g} % of the requests failed", failures * 100);
    } else if (level.stop_reason == StopReason::kSlaMissed) {
      probe.certain = true;
      probe.reason = fmt::format("{}: not within {}", measured, DurationText(sla));
    } else if (level.response_time.count() == 0) {
      probe.reason = "nothing was answered";
    } else if (level.stop_reason == StopReason::kSlaMet || latency.value <= sla) {
      probe.verdict = ProbeVerdict::kMet;
      probe.certain = level.stop_reason == StopReason::kSlaMet || latency.high <= sla;
      probe.reason = fmt::format("{}: within {}", measured, DurationText(sla));
    } else {
      probe.certain = latency.low > sla;
      probe.reason = fmt::format("{}: not within {}", measured, DurationText(sla));
    }
  }

  // Until one rate meets the SLA and a higher one misses it.
  Status Bracket(double rate) {
    // Small steps first, since the start is near; larger ones if it was not.
    constexpr double kUpMin = 1.5;
    constexpr double kUpMax = 4;
    constexpr double kUpGrowth = 4.0 / 3;
    constexpr double kDown = 2;
    double up = kUpMin;
    while (!done()) {
      HEADRACE_RETURN_IF_ERROR(Probe(rate));
      if (met_ > 0 && missed_) {
        break;
      }
      if (missed_) {
        if (*missed_ <= spec_.rate_min) {
          break;
        }
        // An overloaded server has said what it can take.
        const double answered = result_.probes.back().level.request_rate;
        rate = std::max({spec_.rate_min, *missed_ / kDown,
                         answered < *missed_ ? std::min(answered * 0.9, *missed_ / kUpMin) : 0.0});
      } else {
        if (met_ >= spec_.rate_max) {
          break;
        }
        rate = std::min(met_ * up, spec_.rate_max);
        up = std::min(up * kUpGrowth, kUpMax);
      }
    }
    return OkStatus();
  }

  Status Bisect() {
    while (!done() && met_ > 0 && missed_ && *missed_ > met_ * (1 + spec_.precision)) {
      HEADRACE_RETURN_IF_ERROR(Probe(std::sqrt(met_ * *missed_)));
    }
    return OkStatus();
  }

  // The search stops probes early, and takes the luckiest: what it found is measured once more.
  Status Confirm() {
    constexpr int kTryMax = 3;
    for (int attempt = 0; attempt < kTryMax; ++attempt) {
      if (result_.interrupted || met_ <= 0 || spec_.confirm_duration <= 0) {
        return OkStatus();
      }
      LevelSpec level = SpecAt(met_);
      level.stop = StopRule{.duration = spec_.confirm_duration};
      level.arrivals.seed += static_cast<std::uint64_t>(attempt) + 1;
      HEADRACE_ASSIGN_OR_RETURN(LevelResult confirmed, session_.Run(level));
      result_.interrupted = WasInterrupted(confirmed);
      CapacityProbe verdict;
      Decide(confirmed, verdict);
      result_.throughput = confirmed.throughput;
      result_.confirmed = std::move(confirmed);
      result_.confirmed_met = verdict.verdict == ProbeVerdict::kMet;
      if (result_.confirmed_met || result_.interrupted || attempt == kTryMax - 1) {
        return OkStatus();
      }
      missed_ = met_;
      met_ *= 1 - spec_.precision;
    }
    return OkStatus();
  }

  void Explain() {
    if (result_.interrupted) {
      result_.reason = "interrupted before the search was over";
    } else if (met_ <= 0) {
      result_.reason = fmt::format("no rate down to {}/s meets p{:g} within {}: {}",
                                   NumberText(missed_.value_or(spec_.rate_min)), spec_.percentile,
                                   DurationText(static_cast<double>(spec_.sla)), LastReason());
    } else if (!missed_) {
      result_.reason =
          fmt::format("the highest rate that was allowed, {}/s, meets the SLA", NumberText(met_));
    } else if (client_bound_) {
      result_.reason = fmt::format(
          "at {}/s the client was the limit and not the server: more --senders, or another machine",
          NumberText(*missed_));
    } else {
      result_.reason = fmt::format("at {}/s: {}", NumberText(*missed_), ReasonAt(*missed_));
      if (result_.confirmed && !result_.confirmed_met) {
        result_.reason += "; the rate that was found did not hold when it was measured again";
      }
    }
  }

  std::string LastReason() const {
    return result_.probes.empty() ? "nothing was measured" : result_.probes.back().reason;
  }
  std::string ReasonAt(double rate) const {
    for (const CapacityProbe& probe : result_.probes) {
      if (probe.rate == rate) {
        return probe.reason;
      }
    }
    return "it did not hold when it was measured again";
  }

  Session& session_;
  const CapacitySpec& spec_;
  const std::function<void(const CapacityProbe&)>& on_probe_;
  CapacityResult result_;
  double met_ = 0;
  std::optional<double> missed_;
  bool client_bound_ = false;
};

}  // namespace

Result<CapacityResult> FindCapacity(Session& session, const CapacitySpec& spec,
                                    const std::function<void(const CapacityProbe&)>& on_probe) {
  return Search(session, spec, on_probe).Take();
}

Result<LevelResult> ClosedProbe(Session& session, int concurrency, const LevelSpec& level) {
  constexpr Nanos kWarmupMax = 2 * kSecond;
  constexpr Nanos kDuration = 2 * kSecond;
  LevelSpec probe = level;
  probe.arrivals = load::ArrivalSpec();
  probe.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  probe.arrivals.concurrency = concurrency;
  probe.arrivals.seed = level.arrivals.seed;
  probe.stop = StopRule{.duration = std::min(kDuration, level.stop.duration)};
  probe.warmup_max = std::min(kWarmupMax, level.warmup_max);
  return session.Run(probe);
}

}  // namespace headrace::bench

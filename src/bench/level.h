// One level of load, and what was measured at it.
#ifndef HEADRACE_BENCH_LEVEL_H_
#define HEADRACE_BENCH_LEVEL_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "load/arrivals.h"
#include "load/hdr_histogram.h"
#include "load/record.h"
#include "load/server_control.h"

namespace headrace::bench {

// When a level has been measured for long enough. What is set is joined by "or"; the time is
// always an upper bound.
struct StopRule {
  Nanos duration = 10 * kSecond;
  std::uint64_t request_count = 0;  // 0 = no rule
  // The 95 % interval of `percentile` is narrower than this part of its value; 0 = no rule.
  double interval_width = 0;
  // Sequential test against the SLA (binomial, 99 %): ends as soon as it is decided, but a level
  // that meets the SLA is not left before `decide_after`.
  bool decide_sla = false;
  Nanos decide_after = 2 * kSecond;
};

struct LevelSpec {
  std::map<std::string, std::string> labels;  // of a suite's point: "instances" -> "2"
  load::ArrivalSpec arrivals;
  StopRule stop;
  Nanos warmup_max = 5 * kSecond;  // ends earlier once the median's slope is flat; 0 = none
  std::uint64_t warmup_request_count = 0;
  Nanos drain_max = 10 * kSecond;
  double percentile = 99;            // the one that stop rules and SLA look at
  std::optional<Nanos> sla;          // for goodput, and for `decide_sla`
  double failure_share_max = 0.001;  // `decide_sla`: more failures than this miss the SLA, too
};

// A value with its 95 % interval.
struct Estimate {
  double value = 0, low = 0, high = 0;
};

// Latency of what ended well, nanoseconds; a timed-out request counts as +inf (`infinite_count`).
struct LatencyFigures {
  load::HdrHistogram histogram;
  std::uint64_t infinite_count = 0;
  double mean = 0, deviation = 0;  // of the finite ones
  std::uint64_t count() const { return histogram.count() + infinite_count; }
  // Order-statistic interval. `percentile` in 0..100. +inf when it falls among the timeouts.
  Estimate Percentile(double percentile) const;
};

enum class Remark : std::uint8_t {
  kDrift,                // a significant trend over the seconds (Mann-Kendall): not stable
  kClientBound,          // senders were late or out of connections: the client limits
  kTooFewForPercentile,  // the sample cannot support the percentile asked for
  kBacklog,              // answers fall behind arrivals: the rate is above the capacity
  kFailures,             // some requests failed
  kStoppedEarly,         // Ctrl-C, or the server went away
  kNoisyMachine,         // steal time or throttling during the run
};

struct Verdict {
  bool stable = true;  // no remark but kFailures
  struct Line {
    Remark remark;
    std::string text;  // what was seen and what to do, with figures
  };
  std::vector<Line> lines;
};

// Per second of the measured phase, for trends and plots. The last one may be shorter.
struct Second {
  std::uint64_t arrived = 0;  // intended in it
  std::uint64_t done = 0;     // ended well in it, whenever they were intended
  std::uint64_t failed = 0;   // intended in it
  double throughput = 0;      // inferences per second of `done`
  Nanos p50 = 0, p99 = 0;     // response time of those intended in it; kNever = never answered
};

struct ItemFigures {
  std::string name;
  std::uint64_t count = 0;
  std::array<std::uint64_t, load::kOutcomeCount> outcomes{};
  LatencyFigures response_time;
  double goodput = 0;
};

// What the server says of the measured phase: differences of its counters. Means in nanoseconds.
struct ServerFigures {
  std::uint64_t inference_count = 0, execution_count = 0, success_count = 0, fail_count = 0;
  double request_mean = 0, queue_mean = 0, compute_input_mean = 0, compute_infer_mean = 0,
         compute_output_mean = 0, cache_hit_mean = 0, cache_miss_mean = 0;
  std::uint64_t cache_hit_count = 0, cache_miss_count = 0;
  std::map<std::int64_t, std::uint64_t> batches;
  double batch_mean() const {
    return execution_count == 0
               ? 0
               : static_cast<double>(inference_count) / static_cast<double>(execution_count);
  }
};

// One gauge of the metrics page over the measured phase.
struct GaugeFigures {
  double mean = 0, max = 0, last = 0;
  std::uint64_t sample_count = 0;
};

// The load generator's own cost and limits.
struct ClientFigures {
  int sender_count = 0;
  double cpu_per_request_us = 0;
  double cpu_share = 0;  // of the time of the busiest sender's thread; 1 = it never waited
  std::uint64_t waited_for_connection_count = 0;
  std::uint64_t outstanding_max_hit_count = 0;
};

// What disturbed this machine during the measured phase.
struct MachineFigures {
  double steal_share = 0;                      // of all processors' time
  std::uint64_t involuntary_switch_count = 0;  // of the load generator
  std::uint64_t thermal_event_count = 0;
  double quota_throttled_s = 0;         // of its control group
  double cpu_busy_share = 0;            // of all processors, whoever used them
  std::optional<double> frequency_mhz;  // mean over processors, at the end
};

enum class StopReason : std::uint8_t {
  kDuration,     // the time was over
  kCount,        // request_count was reached
  kInterval,     // the interval was narrow enough
  kSlaMet,       // decide_sla
  kSlaMissed,    // decide_sla
  kBacklog,      // decide_sla: answers fell behind arrivals, so the SLA cannot be met
  kScheduleEnd,  // the schedule had no more arrivals
  kInterrupted,  // Ctrl-C
  kServerGone,   // no connection to it could be made any more
};

struct LevelResult {
  LevelSpec spec;
  StopReason stop_reason = StopReason::kDuration;
  Nanos measured_from = 0, measured_to = 0;  // CLOCK_MONOTONIC
  std::int64_t wall_clock_offset = 0;        // add to get CLOCK_REALTIME
  std::uint64_t intended_count = 0, sent_count = 0;
  std::array<std::uint64_t, load::kOutcomeCount> outcomes{};
  std::map<std::uint32_t, std::uint64_t> wire_statuses;  // of what failed
  // Rates are of what ended within the measured phase, so that more load than the server can take
  // shows as its capacity and not as the load.
  double throughput = 0;     // inferences that ended well, per second: requests x their batch size
  double request_rate = 0;   // requests that ended well, per second
  double goodput = 0;        // of these, within the SLA
  double response_rate = 0;  // responses per second, for streams
  Estimate throughput_interval;        // over the seconds
  LatencyFigures response_time;        // from the intended send
  LatencyFigures service_time;         // from the send
  LatencyFigures first_response_time;  // of streams
  LatencyFigures failure_time;         // of what failed otherwise than by timeout
  LatencyFigures send_lag;
  std::optional<Nanos> cold_first_request;  // the very first one of the run
  ClientFigures client;
  MachineFigures machine;
  Nanos warmup_took = 0;
  std::vector<Second> seconds;
  std::vector<ItemFigures> items;  // when there are several
  // By model, those of an ensemble among them; empty = not known.
  std::map<std::string, ServerFigures> server;
  // From the metrics page, by the sample's name with its labels as on the page.
  std::map<std::string, GaugeFigures> gauges;
  std::vector<load::RequestRecord> records;  // when they are to be exported
  Verdict verdict;

  double duration_s() const { return static_cast<double>(measured_to - measured_from) * 1e-9; }
  std::uint64_t failure_count() const;  // outcomes that are not kOk
};

// "duration", "sla met", ...: the words of JSON and reports. So for Remark: "drift", ...
std::string_view StopReasonName(StopReason reason);
std::string_view RemarkName(Remark remark);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_LEVEL_H_

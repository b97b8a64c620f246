// Levels as JSON: the writing half.
#include <array>
#include <cmath>

#include "bench/result_json.h"
#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

using protocol::JsonWriter;

constexpr std::array kPercentiles = {50.0, 90.0, 95.0, 99.0, 99.9, 99.99};

void WriteEstimate(JsonWriter& json, std::string_view key, const Estimate& estimate) {
  json.Key(key).BeginObject();
  json.Key("value").Double(estimate.value);
  json.Key("low").Double(estimate.low);
  json.Key("high").Double(estimate.high);
  json.EndObject();
}

// Buckets as pairs: how far the bucket's lowest value is from that of the one before, and count.
void WriteHistogram(JsonWriter& json, const load::HdrHistogram& histogram) {
  json.BeginArray();
  std::int64_t last = 0;
  for (const load::HdrHistogram::Bucket& bucket : histogram.Buckets()) {
    json.Int(bucket.low - last).Uint(bucket.count);
    last = bucket.low;
  }
  json.EndArray();
}

void WriteLatency(JsonWriter& json, std::string_view key, const LatencyFigures& figures) {
  if (figures.count() == 0) {
    return;
  }
  json.Key(key).BeginObject();
  json.Key("count").Uint(figures.histogram.count());
  json.Key("infinite_count").Uint(figures.infinite_count);
  json.Key("mean").Double(figures.mean).Key("deviation").Double(figures.deviation);
  json.Key("min").Int(figures.histogram.min()).Key("max").Int(figures.histogram.max());
  json.Key("percentiles").BeginObject();
  for (const double percentile : kPercentiles) {
    WriteEstimate(json, fmt::format("{}", percentile), figures.Percentile(percentile));
  }
  json.EndObject();
  json.Key("buckets");
  WriteHistogram(json, figures.histogram);
  json.EndObject();
}

void WriteOutcomes(JsonWriter& json,
                   const std::array<std::uint64_t, load::kOutcomeCount>& outcomes) {
  json.Key("outcomes").BeginObject();
  for (int i = 0; i < load::kOutcomeCount; ++i) {
    if (outcomes[i] > 0) {
      json.Key(load::OutcomeName(static_cast<load::Outcome>(i))).Uint(outcomes[i]);
    }
  }
  json.EndObject();
}

std::string_view KindName(load::ArrivalSpec::Kind kind) {
  using Kind = load::ArrivalSpec::Kind;
  switch (kind) {
    case Kind::kClosed:
      return "closed";
    case Kind::kPoisson:
      return "poisson";
    case Kind::kConstant:
      return "constant";
    case Kind::kGamma:
      return "gamma";
    case Kind::kReplay:
      return "replay";
    case Kind::kSchedule:
      return "schedule";
  }
  return "closed";
}

void WriteArrivals(JsonWriter& json, const load::ArrivalSpec& arrivals) {
  json.Key("arrivals").BeginObject();
  json.Key("loop").String(arrivals.open() ? "open" : "closed");
  json.Key("kind").String(KindName(arrivals.kind));
  json.Key("text").String(load::Describe(arrivals));
  json.Key("concurrency").Int(arrivals.concurrency);
  json.Key("rate").Double(arrivals.rate);
  json.Key("burstiness").Double(arrivals.burstiness);
  json.Key("time_scale").Double(arrivals.time_scale);
  json.Key("interval_count").Uint(arrivals.intervals.size());
  json.Key("profile").BeginArray();
  for (const auto& point : arrivals.profile) {
    json.BeginObject().Key("at_ns").Int(point.at).Key("factor").Double(point.factor).EndObject();
  }
  json.EndArray();
  json.Key("seed").Uint(arrivals.seed);
  json.EndObject();
}

void WriteSpec(JsonWriter& json, const LevelSpec& spec) {
  json.Key("spec").BeginObject();
  json.Key("labels").BeginObject();
  for (const auto& [name, value] : spec.labels) {
    json.Key(name).String(value);
  }
  json.EndObject();
  WriteArrivals(json, spec.arrivals);
  json.Key("duration_ns").Int(spec.stop.duration);
  json.Key("request_count").Uint(spec.stop.request_count);
  json.Key("interval_width").Double(spec.stop.interval_width);
  json.Key("decide_sla").Bool(spec.stop.decide_sla);
  json.Key("warmup_max_ns").Int(spec.warmup_max);
  json.Key("warmup_request_count").Uint(spec.warmup_request_count);
  json.Key("drain_max_ns").Int(spec.drain_max);
  json.Key("percentile").Double(spec.percentile);
  if (spec.sla) {
    json.Key("sla_ns").Int(*spec.sla);
  }
  json.Key("failure_share_max").Double(spec.failure_share_max);
  json.EndObject();
}

void WriteClient(JsonWriter& json, const LevelResult& level) {
  json.Key("client").BeginObject();
  json.Key("sender_count").Int(level.client.sender_count);
  json.Key("cpu_per_request_us").Double(level.client.cpu_per_request_us);
  json.Key("cpu_share").Double(level.client.cpu_share);
  json.Key("waited_for_connection_count").Uint(level.client.waited_for_connection_count);
  json.Key("outstanding_max_hit_count").Uint(level.client.outstanding_max_hit_count);
  json.EndObject();
  const MachineFigures& machine = level.machine;
  json.Key("machine").BeginObject();
  json.Key("steal_share").Double(machine.steal_share);
  json.Key("cpu_busy_share").Double(machine.cpu_busy_share);
  json.Key("involuntary_switch_count").Uint(machine.involuntary_switch_count);
  json.Key("thermal_event_count").Uint(machine.thermal_event_count);
  json.Key("quota_throttled_s").Double(machine.quota_throttled_s);
  if (machine.frequency_mhz) {
    json.Key("frequency_mhz").Double(*machine.frequency_mhz);
  }
  json.EndObject();
}

void WriteSeconds(JsonWriter& json, const LevelResult& level) {
  json.Key("seconds").BeginArray();
  for (const Second& second : level.seconds) {
    json.BeginObject();
    json.Key("arrived").Uint(second.arrived).Key("done").Uint(second.done);
    json.Key("failed").Uint(second.failed).Key("throughput").Double(second.throughput);
    json.Key("p50_ns").Int(second.p50).Key("p99_ns").Int(second.p99);
    json.EndObject();
  }
  json.EndArray();
}

void WriteServer(JsonWriter& json, const LevelResult& level) {
  json.Key("server").BeginObject();
  for (const auto& [model, figures] : level.server) {
    json.Key(model).BeginObject();
    json.Key("inference_count").Uint(figures.inference_count);
    json.Key("execution_count").Uint(figures.execution_count);
    json.Key("success_count").Uint(figures.success_count);
    json.Key("fail_count").Uint(figures.fail_count);
    json.Key("request_mean_ns").Double(figures.request_mean);
    json.Key("queue_mean_ns").Double(figures.queue_mean);
    json.Key("compute_input_mean_ns").Double(figures.compute_input_mean);
    json.Key("compute_infer_mean_ns").Double(figures.compute_infer_mean);
    json.Key("compute_output_mean_ns").Double(figures.compute_output_mean);
    json.Key("cache_hit_count").Uint(figures.cache_hit_count);
    json.Key("cache_hit_mean_ns").Double(figures.cache_hit_mean);
    json.Key("cache_miss_count").Uint(figures.cache_miss_count);
    json.Key("cache_miss_mean_ns").Double(figures.cache_miss_mean);
    json.Key("batch_mean").Double(figures.batch_mean());
    json.Key("batches").BeginObject();
    for (const auto& [size, count] : figures.batches) {
      json.Key(std::to_string(size)).Uint(count);
    }
    json.EndObject().EndObject();
  }
  json.EndObject();
  json.Key("gauges").BeginObject();
  for (const auto& [name, gauge] : level.gauges) {
    json.Key(name).BeginObject().Key("mean").Double(gauge.mean).Key("max").Double(gauge.max);
    json.Key("last").Double(gauge.last).Key("sample_count").Uint(gauge.sample_count).EndObject();
  }
  json.EndObject();
}

void WriteItems(JsonWriter& json, const LevelResult& level) {
  json.Key("items").BeginArray();
  for (const ItemFigures& item : level.items) {
    json.BeginObject().Key("name").String(item.name).Key("count").Uint(item.count);
    json.Key("goodput").Double(item.goodput);
    WriteOutcomes(json, item.outcomes);
    WriteLatency(json, "response_time_ns", item.response_time);
    json.EndObject();
  }
  json.EndArray();
}

void WriteVerdict(JsonWriter& json, const Verdict& verdict) {
  json.Key("verdict").BeginObject().Key("stable").Bool(verdict.stable);
  json.Key("lines").BeginArray();
  for (const Verdict::Line& line : verdict.lines) {
    json.BeginObject().Key("remark").String(RemarkName(line.remark));
    json.Key("text").String(line.text).EndObject();
  }
  json.EndArray().EndObject();
}

}  // namespace

void WriteLevel(JsonWriter& json, const LevelResult& level) {
  json.BeginObject();
  WriteSpec(json, level.spec);
  json.Key("stop_reason").String(StopReasonName(level.stop_reason));
  json.Key("measured_from_ns").Int(level.measured_from);
  json.Key("measured_to_ns").Int(level.measured_to);
  json.Key("wall_clock_offset_ns").Int(level.wall_clock_offset);
  json.Key("warmup_took_ns").Int(level.warmup_took);
  json.Key("intended_count").Uint(level.intended_count);
  json.Key("sent_count").Uint(level.sent_count);
  WriteOutcomes(json, level.outcomes);
  json.Key("wire_statuses").BeginObject();
  for (const auto& [status, count] : level.wire_statuses) {
    json.Key(std::to_string(status)).Uint(count);
  }
  json.EndObject();
  json.Key("throughput").Double(level.throughput);
  json.Key("request_rate").Double(level.request_rate);
  json.Key("goodput").Double(level.goodput);
  json.Key("response_rate").Double(level.response_rate);
  WriteEstimate(json, "throughput_interval", level.throughput_interval);
  WriteLatency(json, "response_time_ns", level.response_time);
  WriteLatency(json, "service_time_ns", level.service_time);
  WriteLatency(json, "first_response_time_ns", level.first_response_time);
  WriteLatency(json, "failure_time_ns", level.failure_time);
  WriteLatency(json, "send_lag_ns", level.send_lag);
  if (level.cold_first_request) {
    json.Key("cold_first_request_ns").Int(*level.cold_first_request);
  }
  WriteClient(json, level);
  WriteServer(json, level);
  WriteItems(json, level);
  WriteSeconds(json, level);
  WriteVerdict(json, level.verdict);
  json.EndObject();
}

}  // namespace headrace::bench

// Levels as JSON: the reading half. Field by field as level_json_write.cc writes.
#include "bench/level_json_read.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "bench/json_reader.h"
#include "bench/result_json.h"

namespace headrace::bench {
namespace {

// What JSON has as null where it was infinite.
constexpr double kUnbounded = std::numeric_limits<double>::infinity();

void ReadEstimate(const JsonReader& json, std::string_view name, Estimate& estimate) {
  json.Object(name, [&estimate](const JsonReader& inner) {
    estimate = {0, -kUnbounded, kUnbounded};
    inner.Read("value", estimate.value);
    inner.Read("low", estimate.low);
    inner.Read("high", estimate.high);
  });
}

// Puts the samples of each bucket at its lowest value, those of the first and the last at the
// extremes that are known.
void ReadBuckets(const JsonReader& json, std::int64_t min, std::int64_t max,
                 load::HdrHistogram& histogram) {
  std::vector<std::pair<std::int64_t, std::uint64_t>> buckets;
  std::int64_t low = 0;
  bool is_count = false;
  json.EachInt("buckets", [&](std::int64_t number) {
    if (number < 0 || (!is_count && number > load::HdrHistogram::kValueMax - low)) {
      return json.Fail("buckets", "holds a number out of range");
    }
    if (is_count) {
      buckets.emplace_back(low, static_cast<std::uint64_t>(number));
    } else {
      low += number;
    }
    is_count = !is_count;
  });
  if (!json.ok() || buckets.empty()) {
    return;
  }
  const std::size_t last = buckets.size() - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    auto [value, count] = buckets[i];
    if (i == last && count > 0) {
      histogram.Record(std::max(max, value));
      --count;
    }
    if (count > 0) {
      histogram.Record(i == 0 ? std::max(min, value) : value, count);
    }
  }
}

void ReadLatency(const JsonReader& json, std::string_view name, LatencyFigures& figures) {
  json.Object(name, [&figures](const JsonReader& inner) {
    std::int64_t min = 0;
    std::int64_t max = 0;
    inner.Read("infinite_count", figures.infinite_count);
    inner.Read("mean", figures.mean);
    inner.Read("deviation", figures.deviation);
    inner.Read("min", min);
    inner.Read("max", max);
    ReadBuckets(inner, min, max, figures.histogram);
  });
}

void ReadOutcomes(const JsonReader& json,
                  std::array<std::uint64_t, load::kOutcomeCount>& outcomes) {
  json.Object("outcomes", [&outcomes](const JsonReader& inner) {
    for (int i = 0; i < load::kOutcomeCount; ++i) {
      inner.Read(load::OutcomeName(static_cast<load::Outcome>(i)), outcomes[i]);
    }
  });
}

void ReadArrivals(const JsonReader& json, load::ArrivalSpec& arrivals) {
  json.Object("arrivals", [&arrivals](const JsonReader& inner) {
    using Kind = load::ArrivalSpec::Kind;
    constexpr std::pair<std::string_view, Kind> kKinds[] = {
        {"closed", Kind::kClosed}, {"poisson", Kind::kPoisson}, {"constant", Kind::kConstant},
        {"gamma", Kind::kGamma},   {"replay", Kind::kReplay},   {"schedule", Kind::kSchedule}};
    std::string kind = "poisson";
    inner.Read("kind", kind);
    const auto* found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&kind](const auto& known) { return known.first == kind; });
    if (found == std::end(kKinds)) {
      return inner.Fail("kind", "is no kind of arrivals that this version knows");
    }
    arrivals.kind = found->second;
    inner.Read("concurrency", arrivals.concurrency);
    inner.Read("rate", arrivals.rate);
    inner.Read("burstiness", arrivals.burstiness);
    inner.Read("time_scale", arrivals.time_scale);
    inner.Each("profile", [&arrivals](const JsonReader& point) {
      auto& added = arrivals.profile.emplace_back();
      point.Read("at_ns", added.at);
      point.Read("factor", added.factor);
    });
    inner.Read("seed", arrivals.seed);
  });
}

void ReadSpec(const JsonReader& json, LevelSpec& spec) {
  json.Object("spec", [&spec](const JsonReader& inner) {
    inner.EachMember("labels", [&spec](std::string_view name, const JsonReader& labels) {
      labels.Read(name, spec.labels[std::string(name)]);
    });
    ReadArrivals(inner, spec.arrivals);
    inner.Read("duration_ns", spec.stop.duration);
    inner.Read("request_count", spec.stop.request_count);
    inner.Read("interval_width", spec.stop.interval_width);
    inner.Read("decide_sla", spec.stop.decide_sla);
    inner.Read("warmup_max_ns", spec.warmup_max);
    inner.Read("warmup_request_count", spec.warmup_request_count);
    inner.Read("drain_max_ns", spec.drain_max);
    inner.Read("percentile", spec.percentile);
    inner.Read("sla_ns", spec.sla);
    inner.Read("failure_share_max", spec.failure_share_max);
  });
}

void ReadClient(const JsonReader& json, LevelResult& level) {
  json.Object("client", [&level](const JsonReader& inner) {
    inner.Read("sender_count", level.client.sender_count);
    inner.Read("cpu_per_request_us", level.client.cpu_per_request_us);
    inner.Read("cpu_share", level.client.cpu_share);
    inner.Read("waited_for_connection_count", level.client.waited_for_connection_count);
    inner.Read("outstanding_max_hit_count", level.client.outstanding_max_hit_count);
  });
  json.Object("machine", [&level](const JsonReader& inner) {
    inner.Read("steal_share", level.machine.steal_share);
    inner.Read("cpu_busy_share", level.machine.cpu_busy_share);
    inner.Read("involuntary_switch_count", level.machine.involuntary_switch_count);
    inner.Read("thermal_event_count", level.machine.thermal_event_count);
    inner.Read("quota_throttled_s", level.machine.quota_throttled_s);
    inner.Read("frequency_mhz", level.machine.frequency_mhz);
  });
}

template <typename Integer>
Integer NumberOf(const JsonReader& json, std::string_view key) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
  if (error != std::errc() || end != key.data() + key.size()) {
    json.Fail(key, "is named by no whole number");
  }
  return number;
}

void ReadServer(const JsonReader& json, LevelResult& level) {
  json.EachMember("server", [&level](std::string_view model, const JsonReader& models) {
    ServerFigures& figures = level.server[std::string(model)];
    models.Object(model, [&figures](const JsonReader& inner) {
      inner.Read("inference_count", figures.inference_count);
      inner.Read("execution_count", figures.execution_count);
      inner.Read("success_count", figures.success_count);
      inner.Read("fail_count", figures.fail_count);
      inner.Read("request_mean_ns", figures.request_mean);
      inner.Read("queue_mean_ns", figures.queue_mean);
      inner.Read("compute_input_mean_ns", figures.compute_input_mean);
      inner.Read("compute_infer_mean_ns", figures.compute_infer_mean);
      inner.Read("compute_output_mean_ns", figures.compute_output_mean);
      inner.Read("cache_hit_count", figures.cache_hit_count);
      inner.Read("cache_hit_mean_ns", figures.cache_hit_mean);
      inner.Read("cache_miss_count", figures.cache_miss_count);
      inner.Read("cache_miss_mean_ns", figures.cache_miss_mean);
      inner.EachMember("batches", [&figures](std::string_view size, const JsonReader& batches) {
        batches.Read(size, figures.batches[NumberOf<std::int64_t>(batches, size)]);
      });
    });
  });
  json.EachMember("gauges", [&level](std::string_view name, const JsonReader& gauges) {
    GaugeFigures& gauge = level.gauges[std::string(name)];
    gauges.Object(name, [&gauge](const JsonReader& inner) {
      inner.Read("mean", gauge.mean);
      inner.Read("max", gauge.max);
      inner.Read("last", gauge.last);
      inner.Read("sample_count", gauge.sample_count);
    });
  });
}

void ReadSeries(const JsonReader& json, LevelResult& level) {
  json.Each("items", [&level](const JsonReader& inner) {
    ItemFigures& item = level.items.emplace_back();
    inner.Read("name", item.name);
    inner.Read("count", item.count);
    inner.Read("goodput", item.goodput);
    ReadOutcomes(inner, item.outcomes);
    ReadLatency(inner, "response_time_ns", item.response_time);
  });
  json.Each("seconds", [&level](const JsonReader& inner) {
    Second& second = level.seconds.emplace_back();
    inner.Read("arrived", second.arrived);
    inner.Read("done", second.done);
    inner.Read("failed", second.failed);
    inner.Read("throughput", second.throughput);
    inner.Read("p50_ns", second.p50);
    inner.Read("p99_ns", second.p99);
  });
}

// The value of a small enumeration by its name; what this version does not know is an error.
template <typename Enum, typename Name>
Enum EnumOf(const JsonReader& json, std::string_view key, Enum last, Name name_of) {
  std::string name(name_of(Enum{}));
  json.Read(key, name);
  for (int value = 0; value <= static_cast<int>(last); ++value) {
    if (name_of(static_cast<Enum>(value)) == name) {
      return static_cast<Enum>(value);
    }
  }
  json.Fail(key, "is no value that this version knows");
  return Enum{};
}

void ReadVerdict(const JsonReader& json, Verdict& verdict) {
  json.Object("verdict", [&verdict](const JsonReader& inner) {
    inner.Read("stable", verdict.stable);
    inner.Each("lines", [&verdict](const JsonReader& line) {
      Verdict::Line& added = verdict.lines.emplace_back();
      added.remark = EnumOf(line, "remark", Remark::kNoisyMachine, RemarkName);
      line.Read("text", added.text);
    });
  });
}

}  // namespace

LevelResult ReadLevel(const JsonReader& json) {
  LevelResult level;
  ReadSpec(json, level.spec);
  level.stop_reason = EnumOf(json, "stop_reason", StopReason::kServerGone, StopReasonName);
  json.Read("measured_from_ns", level.measured_from);
  json.Read("measured_to_ns", level.measured_to);
  json.Read("wall_clock_offset_ns", level.wall_clock_offset);
  json.Read("warmup_took_ns", level.warmup_took);
  json.Read("intended_count", level.intended_count);
  json.Read("sent_count", level.sent_count);
  ReadOutcomes(json, level.outcomes);
  json.EachMember("wire_statuses", [&level](std::string_view status, const JsonReader& inner) {
    inner.Read(status, level.wire_statuses[NumberOf<std::uint32_t>(inner, status)]);
  });
  json.Read("throughput", level.throughput);
  json.Read("request_rate", level.request_rate);
  json.Read("goodput", level.goodput);
  json.Read("response_rate", level.response_rate);
  ReadEstimate(json, "throughput_interval", level.throughput_interval);
  ReadLatency(json, "response_time_ns", level.response_time);
  ReadLatency(json, "service_time_ns", level.service_time);
  ReadLatency(json, "first_response_time_ns", level.first_response_time);
  ReadLatency(json, "failure_time_ns", level.failure_time);
  ReadLatency(json, "send_lag_ns", level.send_lag);
  json.Read("cold_first_request_ns", level.cold_first_request);
  ReadClient(json, level);
  ReadServer(json, level);
  ReadSeries(json, level);
  ReadVerdict(json, level.verdict);
  return level;
}

Result<LevelResult> ParseLevel(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root);
      error != simdjson::SUCCESS) {
    return InvalidArgument("not JSON: {}", simdjson::error_message(error));
  }
  Status status;
  LevelResult level = ReadLevel(JsonReader(root, "", status));
  HEADRACE_RETURN_IF_ERROR(status);
  return level;
}

}  // namespace headrace::bench

#include "tune/sample_json.h"

#include "protocol/json_writer.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;
using protocol::JsonWriter;

// kNever is no number of JSON's.
void Time(JsonWriter& json, std::string_view key, Nanos time) {
  json.Key(key);
  if (time == kNever) {
    json.Raw("null");
  } else {
    json.Int(time);
  }
}
Nanos TimeOf(const JsonValue& value) { return value.is_null() ? kNever : value.AsInt(); }

void Write(JsonWriter& json, const LoadSample& sample) {
  json.BeginObject().Key("rate").Double(sample.rate).Key("achieved").Double(sample.achieved);
  json.Key("goodput").Double(sample.goodput).Key("duration_ns").Int(sample.duration);
  json.Key("requests").Uint(sample.requests).Key("failures").Uint(sample.failures);
  Time(json, "latency_ns", sample.latency);
  Time(json, "latency_low_ns", sample.latency_low);
  Time(json, "latency_high_ns", sample.latency_high);
  json.Key("backlog").Bool(sample.backlog).Key("client_bound").Bool(sample.client_bound);
  json.Key("send_lag_ns").Int(sample.send_lag).Key("batch_mean").Double(sample.batch_mean);
  json.Key("queue_share").Double(sample.queue_share).EndObject();
}

}  // namespace

std::string ToJson(const ServiceSample& sample) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("quantiles_ns").BeginArray();
  for (const Nanos time : sample.quantiles) {
    json.Int(time);
  }
  json.EndArray().Key("count").Uint(sample.count).Key("mean_ns").Double(sample.mean);
  json.Key("rate").Double(sample.rate).Key("overhead_ns").Int(sample.overhead);
  json.Key("memory_bytes").Uint(sample.memory_bytes).EndObject();
  return text;
}

std::string ToJson(const LoadSample& sample) {
  std::string text;
  JsonWriter json(text);
  Write(json, sample);
  return text;
}

std::string ToJson(const CapacitySample& sample) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("rate").Double(sample.rate);
  json.Key("rate_missed").Double(sample.rate_missed);
  json.Key("client_bound").Bool(sample.client_bound).Key("failures").Bool(sample.failures);
  json.Key("probes").Int(sample.probes).Key("reason").String(sample.reason).Key("at_rate");
  Write(json, sample.at_rate);
  json.EndObject();
  return text;
}

LoadSample ReadLoadSample(const JsonValue& json) {
  LoadSample sample;
  sample.rate = json.At("rate").AsDouble();
  sample.achieved = json.At("achieved").AsDouble();
  sample.goodput = json.At("goodput").AsDouble();
  sample.duration = json.At("duration_ns").AsInt();
  sample.requests = static_cast<std::uint64_t>(json.At("requests").AsInt());
  sample.failures = static_cast<std::uint64_t>(json.At("failures").AsInt());
  sample.latency = TimeOf(json.At("latency_ns"));
  sample.latency_low = TimeOf(json.At("latency_low_ns"));
  sample.latency_high = TimeOf(json.At("latency_high_ns"));
  sample.backlog = json.At("backlog").AsBool();
  sample.client_bound = json.At("client_bound").AsBool();
  sample.send_lag = json.At("send_lag_ns").AsInt();
  sample.batch_mean = json.At("batch_mean").AsDouble();
  sample.queue_share = json.At("queue_share").AsDouble();
  return sample;
}

ServiceSample ReadServiceSample(const JsonValue& json) {
  ServiceSample sample;
  for (const JsonValue& time : json.At("quantiles_ns").elements()) {
    sample.quantiles.push_back(time.AsInt());
  }
  sample.count = static_cast<std::uint64_t>(json.At("count").AsInt());
  sample.mean = json.At("mean_ns").AsDouble();
  sample.rate = json.At("rate").AsDouble();
  sample.overhead = json.At("overhead_ns").AsInt();
  sample.memory_bytes = static_cast<std::uint64_t>(json.At("memory_bytes").AsInt());
  return sample;
}

CapacitySample ReadCapacitySample(const JsonValue& json) {
  CapacitySample sample;
  sample.rate = json.At("rate").AsDouble();
  sample.rate_missed = json.At("rate_missed").AsDouble();
  sample.client_bound = json.At("client_bound").AsBool();
  sample.failures = json.At("failures").AsBool();
  sample.probes = static_cast<int>(json.At("probes").AsInt());
  sample.reason = std::string(json.At("reason").AsString());
  sample.at_rate = ReadLoadSample(json.At("at_rate"));
  return sample;
}

}  // namespace headrace::tune

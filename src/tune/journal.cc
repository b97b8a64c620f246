#include "tune/journal.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "bench/json_value.h"
#include "protocol/json_writer.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;
using protocol::JsonWriter;

constexpr std::size_t kLineByteSizeMax = std::size_t{1} << 20;
constexpr std::size_t kLinesMax = 100'000;

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

LoadSample ReadLoad(const JsonValue& json) {
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

ServiceSample ReadService(const JsonValue& json) {
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

CapacitySample ReadCapacity(const JsonValue& json) {
  CapacitySample sample;
  sample.rate = json.At("rate").AsDouble();
  sample.rate_missed = json.At("rate_missed").AsDouble();
  sample.client_bound = json.At("client_bound").AsBool();
  sample.failures = json.At("failures").AsBool();
  sample.probes = static_cast<int>(json.At("probes").AsInt());
  sample.reason = std::string(json.At("reason").AsString());
  sample.at_rate = ReadLoad(json.At("at_rate"));
  return sample;
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

Result<std::unique_ptr<Journal>> Journal::Open(const std::string& path, const std::string& head,
                                               Prober& prober) {
  std::unique_ptr<Journal> journal(new Journal(prober));
  if (path.empty()) {
    return journal;
  }
  bool fresh = true, torn = false;
  std::ifstream in(path);
  std::string line;
  for (std::size_t lines = 0; in && std::getline(in, line) && lines < kLinesMax; ++lines) {
    torn = in.eof();  // the end of the file came before the end of the line
    if (line.size() > kLineByteSizeMax) {
      return InvalidArgument("{}: line {} is longer than any of a resume file's", path, lines + 1);
    }
    const auto parsed = JsonValue::Parse(line);
    if (lines == 0) {
      fresh = false;
      if (!parsed.ok() || parsed->At("tuned").is_null()) {
        return FailedPrecondition("{}: this is no resume file of `headrace tune`; it is left alone",
                                  path);
      }
      if (parsed->At("tuned").AsString() != head) {
        return FailedPrecondition("{}: it is of another run ({}), and this one is {}", path,
                                  parsed->At("tuned").AsString(), head);
      }
      continue;
    }
    if (parsed.ok() && parsed->At("key").is_string()) {
      journal->known_[std::string(parsed->At("key").AsString())].push_back(
          parsed->At("sample").Text());
    }
  }
  in.close();
  journal->file_ = std::fopen(path.c_str(), "ae");
  if (journal->file_ == nullptr) {
    return FailedPrecondition("{}: {}", path, std::strerror(errno));
  }
  if (torn) {
    std::fputc('\n', journal->file_);
  }
  if (fresh) {
    std::string text;
    JsonWriter(text).BeginObject().Key("tuned").String(head).EndObject();
    fmt::print(journal->file_, "{}\n", text);
    std::fflush(journal->file_);
  }
  return journal;
}

Journal::~Journal() {
  if (file_ != nullptr) {
    std::fclose(file_);
  }
}

std::string Journal::Known(const std::string& key) {
  const auto found = known_.find(key);
  if (found == known_.end() || found->second.empty()) {
    return {};
  }
  std::string sample = std::move(found->second.front());
  found->second.pop_front();
  ++answered_;
  return sample;
}

void Journal::Write(const std::string& key, std::string_view sample) {
  if (file_ == nullptr) {
    return;
  }
  std::string text;
  JsonWriter(text).BeginObject().Key("key").String(key).Key("sample").Raw(sample).EndObject();
  fmt::print(file_, "{}\n", text);
  std::fflush(file_);
}

Result<ServiceSample> Journal::Service(const Configuration& configuration, std::int64_t batch,
                                       int concurrent, Nanos duration) {
  const std::string key =
      fmt::format("service {} | {} x {}", Describe(configuration), batch, concurrent);
  if (const std::string known = Known(key); !known.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const JsonValue json, JsonValue::Parse(known));
    return ReadService(json);
  }
  HEADRACE_ASSIGN_OR_RETURN(ServiceSample sample,
                            prober_.Service(configuration, batch, concurrent, duration));
  if (!prober_.Stopped()) {
    Write(key, ToJson(sample));
  }
  return sample;
}

Result<LoadSample> Journal::Load(const Configuration& configuration, double rate, Nanos duration) {
  const std::string key = fmt::format("load {} | {:.4g}", Describe(configuration), rate);
  if (const std::string known = Known(key); !known.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const JsonValue json, JsonValue::Parse(known));
    return ReadLoad(json);
  }
  HEADRACE_ASSIGN_OR_RETURN(LoadSample sample, prober_.Load(configuration, rate, duration));
  if (!prober_.Stopped()) {
    Write(key, ToJson(sample));
  }
  return sample;
}

Result<CapacitySample> Journal::Capacity(const Configuration& configuration, double rate_start,
                                         double precision, Nanos time) {
  const std::string key = fmt::format("capacity {}", Describe(configuration));
  if (const std::string known = Known(key); !known.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const JsonValue json, JsonValue::Parse(known));
    return ReadCapacity(json);
  }
  HEADRACE_ASSIGN_OR_RETURN(CapacitySample sample,
                            prober_.Capacity(configuration, rate_start, precision, time));
  if (!prober_.Stopped()) {
    Write(key, ToJson(sample));
  }
  return sample;
}

}  // namespace headrace::tune

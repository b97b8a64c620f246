#include "bench/profile_export.h"

#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

using protocol::JsonWriter;

void WriteRequest(JsonWriter& json, const load::RequestRecord& record, std::int64_t offset) {
  json.BeginObject();
  json.Key("timestamp").Int(record.sent + offset);
  if (record.sequence_id != 0) {
    json.Key("sequence_id").Uint(record.sequence_id);
  }
  json.Key("response_timestamps").BeginArray();
  if (record.outcome == load::Outcome::kOk) {
    // Only the first and the last response are kept of a stream.
    if (record.response_count > 1) {
      json.Int(record.first_response + offset);
    }
    json.Int(record.done + offset);
  }
  json.EndArray();
  json.Key("intended_timestamp").Int(record.intended + offset);
  if (record.outcome != load::Outcome::kOk) {
    json.Key("error").String(load::OutcomeName(record.outcome));
  }
  json.EndObject();
}

}  // namespace

std::string ProfileExportJson(const ResultDocument& document) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("experiments").BeginArray();
  for (const LevelResult& level : document.levels) {
    const load::ArrivalSpec& arrivals = level.spec.arrivals;
    json.BeginObject().Key("experiment").BeginObject();
    json.Key("mode").String(arrivals.open() ? "request_rate" : "concurrency");
    json.Key("value");
    if (arrivals.open()) {
      json.Double(arrivals.rate);
    } else {
      json.Int(arrivals.concurrency);
    }
    json.EndObject();
    json.Key("requests").BeginArray();
    for (const load::RequestRecord& record : level.records) {
      WriteRequest(json, record, level.wall_clock_offset);
    }
    json.EndArray();
    json.Key("window_boundaries").BeginArray();
    json.Int(level.measured_from + level.wall_clock_offset);
    json.Int(level.measured_to + level.wall_clock_offset);
    json.EndArray().EndObject();
  }
  json.EndArray();
  json.Key("version").String(document.environment.headrace_version);
  const std::string& protocol = document.target.protocol;
  json.Key("service_kind")
      .String(protocol == "torchserve"   ? "torchserve"
              : protocol == "in process" ? "triton_c_api"
                                         : "triton");
  json.Key("endpoint").String("");
  json.EndObject();
  text += '\n';
  return text;
}

}  // namespace headrace::bench

#include "tune/report_parts.h"

#include <fmt/format.h>

namespace headrace::tune {

std::string SlaText(const Target& target) {
  return fmt::format("p{:g} <= {}", target.percentile, DurationText(target.sla));
}

std::string HeadOf(std::string_view model, const Target& target) {
  return fmt::format("{} p{:g} {}", model, target.percentile, DurationText(target.sla));
}

std::string AnsweredText(int answered, std::string_view file) {
  return fmt::format("{} samples are from {}", answered, file);
}

void WriteFields(protocol::JsonWriter& json, const Configuration& configuration) {
  json.Key("as_found").Bool(configuration.as_found);
  if (!configuration.as_found) {
    json.Key("variant").String(configuration.variant);
    json.Key("instances").Int(configuration.shape.instances);
    json.Key("threads").Int(configuration.shape.threads);
    json.Key("max_batch_size").Int(configuration.batch_max);
    json.Key("queue_delay_ns").Int(configuration.delay);
  }
}

void WriteEstimate(protocol::JsonWriter& json, const bench::Estimate& estimate) {
  json.BeginObject().Key("value").Double(estimate.value).Key("low").Double(estimate.low);
  json.Key("high").Double(estimate.high).EndObject();
}

void AddNotes(const std::vector<std::string>& notes, bool interrupted, std::string& text) {
  for (const std::string& note : notes) {
    text += fmt::format("note: {}\n", note);
  }
  if (interrupted) {
    text += "note: interrupted; this is what was known\n";
  }
}

}  // namespace headrace::tune

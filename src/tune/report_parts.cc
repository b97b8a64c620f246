#include "tune/report_parts.h"

#include <fmt/format.h>

namespace headrace::tune {

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

void AddNotes(const std::vector<std::string>& notes, bool interrupted, std::string& text) {
  for (const std::string& note : notes) {
    text += fmt::format("note: {}\n", note);
  }
  if (interrupted) {
    text += "note: interrupted; this is what was known\n";
  }
}

}  // namespace headrace::tune

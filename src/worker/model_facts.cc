#include "worker/model_facts.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "protocol/json_cursor.h"

namespace headrace::worker {
namespace {

using protocol::JsonCursor;

constexpr std::size_t kDepthMax = 32;
constexpr std::uint64_t kInstancesMax = 1'000'000;

// Reads the text member `name` of the current object, which may be missing.
void ReadMember(JsonCursor& cursor, std::string_view name, std::string& value) {
  for (std::string_view key; cursor.NextField(key);) {
    std::string_view text;
    if (key == name && cursor.ReadString(text)) {
      value = text;
    } else {
      cursor.Skip();
    }
  }
}

void ReadNames(JsonCursor& cursor, std::vector<std::string>& names) {
  if (!cursor.EnterArray()) {
    return;
  }
  while (cursor.NextElement() && cursor.EnterObject()) {
    ReadMember(cursor, "name", names.emplace_back());
  }
}

void ReadParameters(JsonCursor& cursor, std::map<std::string, std::string>& parameters) {
  if (!cursor.EnterObject()) {
    return;
  }
  for (std::string_view key; cursor.NextField(key);) {
    std::string& value = parameters[std::string(key)];
    if (cursor.EnterObject()) {
      ReadMember(cursor, "string_value", value);
    }
  }
}

// The sum of the groups' counts.
void ReadGroups(JsonCursor& cursor, int& count) {
  std::uint64_t sum = 0;
  if (!cursor.EnterArray()) {
    return;
  }
  while (cursor.NextElement() && cursor.EnterObject()) {
    for (std::string_view key; cursor.NextField(key);) {
      std::uint64_t of_group = 0;
      if (key == "count" && cursor.ReadUint(of_group)) {
        sum += std::min<std::uint64_t>(of_group, kInstancesMax);
      } else {
        cursor.Skip();
      }
    }
  }
  count = static_cast<int>(std::clamp<std::uint64_t>(sum, 1, kInstancesMax));
}

void ReadPolicy(JsonCursor& cursor, bool& decoupled) {
  if (!cursor.EnterObject()) {
    return;
  }
  for (std::string_view key; cursor.NextField(key);) {
    if (key == "decoupled") {
      cursor.ReadBool(decoupled);
    } else {
      cursor.Skip();
    }
  }
}

}  // namespace

Result<ModelFacts> ReadModelFacts(const std::string& config_json) {
  ModelFacts facts;
  std::string padded = config_json;
  padded.resize(padded.size() + JsonCursor::kPadding);
  JsonCursor cursor;
  cursor.Open(std::string_view(padded).substr(0, config_json.size()), kDepthMax);
  for (std::string_view key; cursor.NextField(key);) {
    std::string_view text;
    if (key == "input") {
      ReadNames(cursor, facts.input_names);
    } else if (key == "output") {
      ReadNames(cursor, facts.output_names);
    } else if (key == "parameters") {
      ReadParameters(cursor, facts.parameters);
    } else if (key == "instance_group") {
      ReadGroups(cursor, facts.instance_count);
    } else if (key == "model_transaction_policy") {
      ReadPolicy(cursor, facts.decoupled);
    } else if (key == "default_model_filename" && cursor.ReadString(text)) {
      facts.model_file = text;
    } else {
      cursor.Skip();
    }
  }
  cursor.Close();
  HEADRACE_RETURN_IF_ERROR(cursor.status().WithPrefix("the model configuration: "));
  if (facts.model_file.empty()) {
    facts.model_file = "model.py";
  }
  return facts;
}

}  // namespace headrace::worker

#include "protocol/settings_json.h"

#include "protocol/json_cursor.h"
#include "protocol/json_writer.h"
#include "protocol/v2_parameters.h"

namespace headrace::protocol {
namespace {

constexpr std::size_t kDepthMax = 4;
constexpr std::size_t kListSizeMax = 64;

bool ReadList(JsonCursor& cursor, std::vector<std::string>& list) {
  if (!cursor.EnterArray()) {
    return false;
  }
  while (cursor.NextElement()) {
    std::string_view text;
    if (!cursor.ReadString(text)) {
      return false;
    }
    if (list.size() == kListSizeMax) {
      return cursor.Fail(InvalidArgument("a list has more than {} elements", kListSizeMax));
    }
    list.emplace_back(text);
  }
  return cursor.ok();
}

bool ReadValue(JsonCursor& cursor, SettingValue& value) {
  switch (cursor.Type()) {
    case JsonType::kNull:
      value = std::monostate();
      return cursor.Skip();
    case JsonType::kBool:
      return cursor.ReadBool(value.emplace<bool>());
    case JsonType::kNumber:
      return cursor.ReadInt(value.emplace<std::int64_t>());
    case JsonType::kArray:
      return ReadList(cursor, value.emplace<std::vector<std::string>>());
    default: {
      std::string_view text;
      const bool read = cursor.ReadString(text);
      value = std::string(text);
      return read;
    }
  }
}

}  // namespace

Result<Settings> ParseSettings(std::string_view body) {
  Settings settings;
  if (body.empty()) {
    return settings;
  }
  JsonCursor cursor;
  cursor.Open(body, kDepthMax);
  for (std::string_view name; cursor.NextField(name);) {
    auto& setting = settings.emplace_back(std::string(name), SettingValue());
    if (!ReadValue(cursor, setting.second)) {
      return FieldError(cursor, FieldPath(), setting.first);
    }
  }
  cursor.Close();
  HEADRACE_RETURN_IF_ERROR(cursor.status());
  return settings;
}

std::string SettingsJson(const Settings& settings) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  for (const auto& [name, value] : settings) {
    json.Key(name);
    if (const auto* flag = std::get_if<bool>(&value)) {
      json.Bool(*flag);
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
      json.Int(*number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      json.String(*text);
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
      json.BeginArray();
      for (const std::string& element : *list) {
        json.String(element);
      }
      json.EndArray();
    } else {
      json.Raw("null");
    }
  }
  json.EndObject();
  return out;
}

}  // namespace headrace::protocol

#include "repository/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <vector>

#include "base/log.h"
#include "protocol/json_writer.h"

namespace headrace::repository {
namespace {

constexpr int kDepthMax = 64;
constexpr std::size_t kValueCountMax = 100'000;

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool IsNull(std::string_view text) { return IsOneOf(text, {"", "~", "null", "Null", "NULL"}); }

std::optional<bool> AsBool(std::string_view text) {
  if (IsOneOf(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) {
    return true;
  }
  if (IsOneOf(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) {
    return false;
  }
  return std::nullopt;
}

// Decimal, 0x.., 0b.. and 0.. (octal), with underscores between digits. Nothing for what 64 bits do
// not hold, too.
std::optional<std::int64_t> AsInteger(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits),
               [](char c) { return c != '_'; });
  std::string_view rest = digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) {
    rest.remove_prefix(1);
  }
  int base = 10;
  if (rest.starts_with("0x") || rest.starts_with("0b")) {
    base = rest[1] == 'x' ? 16 : 2;
    rest.remove_prefix(2);
  } else if (rest.size() > 1 && rest.front() == '0') {
    base = 8;
    rest.remove_prefix(1);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (rest.empty() || rest.front() == '-' || error != std::errc() ||
      end != rest.data() + rest.size()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

// With a point; an exponent has a sign. So has Python's loader it.
std::optional<double> AsDouble(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos ||
      text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos &&
      (exponent + 1 == text.size() || (text[exponent + 1] != '+' && text[exponent + 1] != '-'))) {
    return std::nullopt;
  }
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

class Converter {
 public:
  explicit Converter(std::string& out) : json_(out) {}

  Status Convert(const YAML::Node& node, int depth) {
    if (++count_ > kValueCountMax) {
      return Fault(node,
                   fmt::format("more than {} values, with aliases written out", kValueCountMax));
    }
    if (depth > kDepthMax) {
      return Fault(node, fmt::format("nested deeper than {} levels", kDepthMax));
    }
    HEADRACE_RETURN_IF_ERROR(CheckTag(node));
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return Scalar(node);
      case YAML::NodeType::Sequence:
        json_.BeginArray();
        for (const YAML::Node& element : node) {
          HEADRACE_RETURN_IF_ERROR(Convert(element, depth + 1));
        }
        json_.EndArray();
        return OkStatus();
      case YAML::NodeType::Map: {
        json_.BeginObject();
        std::set<std::string> keys;
        HEADRACE_RETURN_IF_ERROR(Members(node, depth, keys));
        json_.EndObject();
        return OkStatus();
      }
      default:
        json_.Raw("null");
        return OkStatus();
    }
  }

 private:
  static Status Fault(const YAML::Node& node, std::string_view what) {
    const YAML::Mark mark = node.Mark();
    return InvalidArgument("{}:{}: {}", mark.line + 1, mark.column + 1, what);
  }

  static Status CheckTag(const YAML::Node& node) {
    constexpr std::string_view kOwn = "tag:yaml.org,2002:";
    const std::string& tag = node.Tag();
    const bool own =
        tag.starts_with(kOwn) && IsOneOf(std::string_view(tag).substr(kOwn.size()),
                                         {"str", "int", "float", "bool", "null", "map", "seq"});
    return tag.empty() || tag == "?" || tag == "!" || own
               ? OkStatus()
               : Fault(node, fmt::format("the tag '{}' is not allowed", EscapeForLog(tag, 64)));
  }

  Status Scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!" || node.Tag().ends_with(":str")) {  // quoted, or said to be
      json_.String(text);
    } else if (IsNull(text)) {
      json_.Raw("null");
    } else if (const auto flag = AsBool(text)) {
      json_.Bool(*flag);
    } else if (const auto integer = AsInteger(text)) {
      json_.Int(*integer);
    } else if (const auto number = AsDouble(text)) {
      json_.Double(*number);
    } else {
      json_.String(text);
    }
    return OkStatus();
  }

  // Keys that are in `keys` already are passed over: they come from nearer.
  Status Members(const YAML::Node& map, int depth, std::set<std::string>& keys) {
    if (depth > kDepthMax) {
      return Fault(map, fmt::format("nested deeper than {} levels", kDepthMax));
    }
    std::vector<YAML::Node> merged;
    for (auto entry = map.begin(); entry != map.end(); ++entry) {
      const YAML::Node key = entry->first, value = entry->second;
      if (!key.IsScalar()) {
        return Fault(key, "a key must be a plain value");
      }
      if (key.Scalar() == "<<" && key.Tag() != "!") {
        merged.push_back(value);
      } else if (keys.insert(key.Scalar()).second) {
        json_.Key(key.Scalar());
        HEADRACE_RETURN_IF_ERROR(Convert(value, depth + 1));
      }
    }
    for (const YAML::Node& from : merged) {
      HEADRACE_RETURN_IF_ERROR(Merge(from, depth + 1, keys));
    }
    return OkStatus();
  }

  Status Merge(const YAML::Node& from, int depth, std::set<std::string>& keys) {
    if (++count_ > kValueCountMax) {
      return Fault(from,
                   fmt::format("more than {} values, with aliases written out", kValueCountMax));
    }
    if (from.IsMap()) {
      return Members(from, depth, keys);
    }
    if (!from.IsSequence()) {
      return Fault(from, "'<<' merges a map, or a list of maps");
    }
    for (const YAML::Node& one : from) {
      if (!one.IsMap()) {
        return Fault(one, "'<<' merges a map, or a list of maps");
      }
      HEADRACE_RETURN_IF_ERROR(Members(one, depth, keys));
    }
    return OkStatus();
  }

  protocol::JsonWriter json_;
  std::size_t count_ = 0;
};

}  // namespace

Result<std::string> YamlToJson(std::string_view yaml) {
  if (yaml.size() > kYamlByteSizeMax) {
    return InvalidArgument("{} bytes are more than the {} allowed", yaml.size(), kYamlByteSizeMax);
  }
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    std::string json;
    if (!root || root.IsNull()) {
      return std::string("{}");
    }
    HEADRACE_RETURN_IF_ERROR(Converter(json).Convert(root, 0));
    return json;
  } catch (const YAML::Exception& error) {
    return InvalidArgument("{}:{}: {}", error.mark.line + 1, error.mark.column + 1,
                           EscapeForLog(error.msg, 256));
  } catch (const std::exception& error) {
    return InvalidArgument("{}", EscapeForLog(error.what(), 256));
  }
}

}  // namespace headrace::repository

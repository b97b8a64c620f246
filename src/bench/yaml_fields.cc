#include "bench/yaml_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>

namespace headrace::bench {
namespace {

constexpr std::size_t kFileByteSizeMax = std::size_t{1} << 20;
constexpr std::size_t kListSizeMax = 1000;

std::optional<double> ReadNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> ReadInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  return whole ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string YamlFaults::Place(const YAML::Node& where) const {
  const YAML::Mark mark = where.Mark();
  return mark.is_null() ? file_ : fmt::format("{}:{}", file_, mark.line + 1);
}

void YamlFaults::Add(const YAML::Node& where, std::string_view key, std::string_view what) {
  if (status_.ok()) {
    status_ = key.empty() ? InvalidArgument("{}: {}", Place(where), what)
                          : InvalidArgument("{}: {}: {}", Place(where), key, what);
  }
}

void YamlFaults::Take(const Status& fault) {
  if (status_.ok()) {
    status_ = fault;
  }
}

Result<YAML::Node> LoadYaml(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Status(StatusCode::kNotFound, fmt::format("{}: cannot be read", path));
  }
  std::string text(kFileByteSizeMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileByteSizeMax) {
    return InvalidArgument("{}: more than {} bytes", path, kFileByteSizeMax);
  }
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    return InvalidArgument("{}:{}: {}", path, error.mark.line + 1, error.msg);
  }
}

YamlFields::YamlFields(YAML::Node map, std::string where, YamlFaults& faults)
    : map_(std::move(map)), where_(std::move(where)), faults_(faults) {
  if (!map_.IsMap()) {
    faults_.Add(map_, where_, "must be a map of keys");
    map_ = YAML::Node(YAML::NodeType::Map);
  }
}

std::string YamlFields::Path(const std::string& key) const {
  return where_.empty() ? key : where_ + "." + key;
}

void YamlFields::Fault(const std::string& key, std::string_view what) {
  const YAML::Node node = static_cast<const YAML::Node&>(map_)[key];
  faults_.Add(node.IsDefined() ? node : map_, Path(key), what);
}

YAML::Node YamlFields::Node(const std::string& key) {
  known_.insert(key);
  const YAML::Node node = static_cast<const YAML::Node&>(map_)[key];
  return node.IsDefined() && !node.IsNull() ? node : YAML::Node(YAML::NodeType::Undefined);
}

bool YamlFields::Has(const std::string& key) { return Node(key).IsDefined(); }

std::string YamlFields::Text(const std::string& key, std::string otherwise) {
  const YAML::Node node = Node(key);
  if (!node.IsDefined()) {
    return otherwise;
  }
  if (!node.IsScalar()) {
    Fault(key, "must be one value");
    return otherwise;
  }
  return node.Scalar();
}

bool YamlFields::Flag(const std::string& key, bool otherwise) {
  const std::string text = Text(key, otherwise ? "true" : "false");
  for (const char* word : {"true", "True", "yes", "on"}) {
    if (text == word) {
      return true;
    }
  }
  for (const char* word : {"false", "False", "no", "off"}) {
    if (text == word) {
      return false;
    }
  }
  Fault(key, fmt::format("'{}' is neither true nor false", text));
  return otherwise;
}

std::int64_t YamlFields::Integer(const std::string& key, std::int64_t otherwise, std::int64_t min,
                                 std::int64_t max) {
  const YAML::Node node = Node(key);
  if (node.IsDefined() && !node.IsScalar()) {
    Fault(key, "must be one whole number");
    return otherwise;
  }
  const std::vector<std::int64_t> list = Integers(key, min, max);
  return list.empty() ? otherwise : list.front();
}

double YamlFields::Number(const std::string& key, double otherwise, double min, double max) {
  const YAML::Node node = Node(key);
  if (node.IsDefined() && !node.IsScalar()) {
    Fault(key, "must be one number");
    return otherwise;
  }
  const std::vector<double> list = Numbers(key, min, max);
  return list.empty() ? otherwise : list.front();
}

Nanos YamlFields::Duration(const std::string& key, Nanos otherwise, Nanos unit) {
  const YAML::Node node = Node(key);
  if (!node.IsDefined()) {
    return otherwise;
  }
  const auto parsed = ParseDuration(Text(key), unit);
  if (!parsed.ok()) {
    Fault(key, parsed.status().message());
    return otherwise;
  }
  return *parsed;
}

template <typename T, typename Read>
std::vector<T> YamlFields::List(const std::string& key, const Read& read) {
  const YAML::Node node = Node(key);
  std::vector<T> list;
  if (!node.IsDefined()) {
    return list;
  }
  const auto take = [&](const YAML::Node& one) {
    if (!one.IsScalar()) {
      faults_.Add(one, Path(key), "must be a value or a list of values");
      return;
    }
    const std::optional<T> value = read(one);
    if (value && std::find(list.begin(), list.end(), *value) != list.end()) {
      faults_.Add(one, Path(key), fmt::format("'{}' is there twice", one.Scalar()));
    } else if (value) {
      list.push_back(*value);
    }
  };
  if (!node.IsSequence()) {
    take(node);
    return list;
  }
  if (node.size() == 0 || node.size() > kListSizeMax) {
    Fault(key, fmt::format("has {} values; 1 to {} are possible", node.size(), kListSizeMax));
    return list;
  }
  for (const YAML::Node& one : node) {
    take(one);
  }
  return list;
}

std::vector<std::string> YamlFields::Texts(const std::string& key) {
  return List<std::string>(
      key, [](const YAML::Node& one) { return std::optional<std::string>(one.Scalar()); });
}

std::vector<std::int64_t> YamlFields::Integers(const std::string& key, std::int64_t min,
                                               std::int64_t max) {
  return List<std::int64_t>(key, [&](const YAML::Node& one) {
    auto value = ReadInteger(one.Scalar());
    if (!value || *value < min || *value > max) {
      faults_.Add(one, Path(key),
                  fmt::format("'{}' is no whole number from {} to {}", one.Scalar(), min, max));
      value.reset();
    }
    return value;
  });
}

std::vector<double> YamlFields::Numbers(const std::string& key, double min, double max) {
  return List<double>(key, [&](const YAML::Node& one) {
    auto value = ReadNumber(one.Scalar());
    if (!value || *value < min || *value > max) {
      faults_.Add(one, Path(key),
                  fmt::format("'{}' is no number from {} to {}", one.Scalar(), min, max));
      value.reset();
    }
    return value;
  });
}

void YamlFields::RefuseOthers() {
  for (const auto& entry : map_) {
    if (!entry.first.IsScalar()) {
      faults_.Add(entry.first, where_, "a key must be a plain word");
    } else if (known_.find(entry.first.Scalar()) == known_.end()) {
      faults_.Add(entry.first, Path(entry.first.Scalar()),
                  fmt::format("there is no such key; there are {}", fmt::join(known_, ", ")));
    }
  }
}

Result<Nanos> ParseDuration(std::string_view text, Nanos unit) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string_view suffix = digits == std::string_view::npos ? "" : text.substr(digits);
  if (suffix == "us") {
    unit = kMicrosecond;
  } else if (suffix == "ms") {
    unit = kMillisecond;
  } else if (suffix == "s") {
    unit = kSecond;
  } else if (suffix == "m" || suffix == "min") {
    unit = 60 * kSecond;
  } else if (suffix == "h") {
    unit = 3600 * kSecond;
  } else if (!suffix.empty()) {
    return InvalidArgument("'{}' is no time such as 500us, 100ms, 10s, 2m", text);
  }
  const auto number = ReadNumber(text.substr(0, text.size() - suffix.size()));
  const double nanos = number.value_or(-1) * static_cast<double>(unit);
  if (nanos < 0 || nanos > 1e17) {
    return InvalidArgument("'{}' is no time such as 500us, 100ms, 10s, 2m", text);
  }
  return static_cast<Nanos>(std::llround(nanos));
}

}  // namespace headrace::bench

#include "torchserve/metrics_catalog.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "protocol/json_cursor.h"
#include "protocol/json_writer.h"
#include "repository/yaml_json.h"

namespace headrace::torchserve {
namespace {

using protocol::JsonCursor;
using protocol::JsonType;
using telemetry::MetricKind;

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kNameByteSizeMax = 255;

bool IsName(std::string_view text, bool colons) {
  const auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
  };
  return !text.empty() && text.size() <= kNameByteSizeMax && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// Reads one list of metrics, `ts_metrics.counter` for instance.
class ListReader {
 public:
  ListReader(JsonCursor& cursor, std::string where, MetricKind kind, std::vector<MetricSpec>& into)
      : cursor_(cursor), where_(std::move(where)), kind_(kind), into_(into) {}

  Status Read() {
    if (cursor_.Type() == JsonType::kNull) {
      cursor_.Skip();
      return OkStatus();
    }
    if (!cursor_.EnterArray()) {
      return Wrong("must be a list of metrics");
    }
    while (cursor_.NextElement()) {
      HEADRACE_RETURN_IF_ERROR(ReadMetric());
    }
    return cursor_.status();
  }

 private:
  Status Wrong(std::string_view what) const { return InvalidArgument("{} {}", where_, what); }

  Status ReadText(std::string_view member, std::string& text) {
    std::string_view value;
    if (!cursor_.ReadString(value)) {
      return InvalidArgument("{}: '{}' of a metric must be a text", where_, member);
    }
    text = value;
    return OkStatus();
  }

  Status ReadDimensions(MetricSpec& spec) {
    if (!cursor_.EnterArray()) {
      return InvalidArgument("{}: 'dimensions' of a metric must be a list of names", where_);
    }
    while (cursor_.NextElement()) {
      HEADRACE_RETURN_IF_ERROR(ReadText("dimensions", spec.dimensions.emplace_back()));
    }
    return cursor_.status();
  }

  Status ReadMetric() {
    MetricSpec spec;
    spec.kind = kind_;
    if (!cursor_.EnterObject()) {
      return Wrong("holds an entry that is no metric: {name, unit, dimensions}");
    }
    for (std::string_view key; cursor_.NextField(key);) {
      if (key == "name") {
        HEADRACE_RETURN_IF_ERROR(ReadText(key, spec.name));
      } else if (key == "unit") {
        HEADRACE_RETURN_IF_ERROR(ReadText(key, spec.unit));
      } else if (key == "dimensions") {
        HEADRACE_RETURN_IF_ERROR(ReadDimensions(spec));
      } else {
        cursor_.Skip();
      }
    }
    HEADRACE_RETURN_IF_ERROR(cursor_.status());
    HEADRACE_RETURN_IF_ERROR(Check(spec));
    into_.push_back(std::move(spec));
    return OkStatus();
  }

  Status Check(const MetricSpec& spec) const {
    if (spec.name.empty() || spec.unit.empty()) {
      return InvalidArgument("{}: metric '{}' needs a name and a unit", where_, spec.name);
    }
    if (!IsMetricName(spec.name)) {
      return InvalidArgument("{}: '{}' is no name of a metric: letters, digits, '_' and ':'",
                             where_, spec.name);
    }
    if (spec.dimensions.size() > MetricsCatalog::kDimensionCountMax ||
        !std::all_of(spec.dimensions.begin(), spec.dimensions.end(), IsLabelName)) {
      return InvalidArgument(
          "{}: metric '{}' has a dimension that is none (letters, digits and '_'), or more than {}",
          where_, spec.name, MetricsCatalog::kDimensionCountMax);
    }
    if (std::any_of(into_.begin(), into_.end(),
                    [&](const MetricSpec& other) { return other.name == spec.name; })) {
      return InvalidArgument("{}: metric '{}' is there twice", where_, spec.name);
    }
    if (into_.size() >= MetricsCatalog::kMetricCountMax) {
      return InvalidArgument("{}: more than {} metrics", where_, MetricsCatalog::kMetricCountMax);
    }
    return OkStatus();
  }

  JsonCursor& cursor_;
  const std::string where_;
  const MetricKind kind_;
  std::vector<MetricSpec>& into_;
};

Status ReadKinds(JsonCursor& cursor, const std::string& section, std::vector<MetricSpec>& into) {
  if (cursor.Type() == JsonType::kNull) {
    cursor.Skip();
    return OkStatus();
  }
  if (!cursor.EnterObject()) {
    return InvalidArgument("{} must have the lists 'counter', 'gauge' and 'histogram'", section);
  }
  for (std::string_view key; cursor.NextField(key);) {
    const std::string where = section + "." + std::string(key);
    if (key == "counter") {
      HEADRACE_RETURN_IF_ERROR(ListReader(cursor, where, MetricKind::kCounter, into).Read());
    } else if (key == "gauge") {
      HEADRACE_RETURN_IF_ERROR(ListReader(cursor, where, MetricKind::kGauge, into).Read());
    } else if (key == "histogram") {
      HEADRACE_RETURN_IF_ERROR(ListReader(cursor, where, MetricKind::kHistogram, into).Read());
    } else {
      return InvalidArgument("{}: there are the lists 'counter', 'gauge' and 'histogram' only",
                             where);
    }
  }
  return cursor.status();
}

const MetricSpec* Find(const std::vector<MetricSpec>& specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const MetricSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

}  // namespace

bool IsMetricName(std::string_view text) { return IsName(text, /*colons=*/true); }
bool IsLabelName(std::string_view text) { return IsName(text, /*colons=*/false); }

MetricsCatalog MetricsCatalog::Default() {
  MetricsCatalog catalog;
  const auto add = [](std::vector<MetricSpec>& into, MetricKind kind, std::string_view unit,
                      const std::vector<std::string>& dimensions,
                      std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      into.push_back({std::string(name), std::string(unit), kind, dimensions});
    }
  };
  const std::vector<std::string> host = {"Level", "Hostname"};
  const std::vector<std::string> worker = {"WorkerName", "Level", "Hostname"};
  const std::vector<std::string> device = {"Level", "DeviceId", "Hostname"};
  const std::vector<std::string> model = {"model_name", "model_version", "hostname"};
  add(catalog.server, MetricKind::kCounter, "Count", host,
      {"Requests2XX", "Requests4XX", "Requests5XX"});
  add(catalog.server, MetricKind::kCounter, "Count", model, {"ts_inference_requests_total"});
  add(catalog.server, MetricKind::kCounter, "Microseconds", model,
      {"ts_inference_latency_microseconds", "ts_queue_latency_microseconds"});
  add(catalog.server, MetricKind::kGauge, "Milliseconds", host, {"QueueTime", "WorkerThreadTime"});
  add(catalog.server, MetricKind::kGauge, "Milliseconds", worker, {"WorkerLoadTime"});
  add(catalog.server, MetricKind::kGauge, "Percent", host, {"CPUUtilization"});
  add(catalog.server, MetricKind::kGauge, "Megabytes", host, {"MemoryUsed", "MemoryAvailable"});
  add(catalog.server, MetricKind::kGauge, "Percent", host, {"MemoryUtilization"});
  add(catalog.server, MetricKind::kGauge, "Gigabytes", host, {"DiskUsage"});
  add(catalog.server, MetricKind::kGauge, "Percent", host, {"DiskUtilization"});
  add(catalog.server, MetricKind::kGauge, "Gigabytes", host, {"DiskAvailable"});
  add(catalog.server, MetricKind::kGauge, "Percent", device,
      {"GPUMemoryUtilization", "GPUUtilization"});
  add(catalog.server, MetricKind::kGauge, "Megabytes", device, {"GPUMemoryUsed"});
  add(catalog.model, MetricKind::kGauge, "ms", {"ModelName", "Level"},
      {"HandlerTime", "PredictionTime"});
  return catalog;
}

Result<MetricsCatalog> MetricsCatalog::Parse(std::string_view yaml) {
  HEADRACE_ASSIGN_OR_RETURN(std::string json, repository::YamlToJson(yaml));
  const std::size_t json_byte_size = json.size();
  json.append(JsonCursor::kPadding, '\0');
  JsonCursor cursor;
  MetricsCatalog catalog;
  cursor.Open(std::string_view(json).substr(0, json_byte_size), kDepthMax);
  for (std::string_view key; cursor.NextField(key);) {
    if (key == "ts_metrics") {
      HEADRACE_RETURN_IF_ERROR(ReadKinds(cursor, "ts_metrics", catalog.server));
    } else if (key == "model_metrics") {
      HEADRACE_RETURN_IF_ERROR(ReadKinds(cursor, "model_metrics", catalog.model));
    } else {
      cursor.Skip();  // `dimensions` only names anchors
    }
  }
  cursor.Close();
  HEADRACE_RETURN_IF_ERROR(cursor.status());
  return catalog;
}

Result<MetricsCatalog> MetricsCatalog::Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  // One byte more than allowed is enough for the refusal.
  std::string bytes(repository::kYamlByteSizeMax + 1, '\0');
  if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) && !file.eof()) {
    return Unavailable("{} cannot be read", path);
  }
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  auto catalog = Parse(bytes);
  if (!catalog.ok()) {
    return InvalidArgument("{}: {}", path, catalog.status().message());
  }
  return catalog;
}

std::string MetricsCatalog::ModelMetricsJson() const {
  std::string text;
  protocol::JsonWriter json(text);
  json.BeginArray();
  for (const MetricSpec& spec : model) {
    json.BeginObject().Key("name").String(spec.name).Key("unit").String(spec.unit);
    json.Key("kind").String(MetricKindName(spec.kind)).Key("dimensions").BeginArray();
    const bool has_host = !spec.dimensions.empty() && spec.dimensions.back() == kHostnameLabel;
    for (std::size_t i = 0; i < spec.dimensions.size() - (has_host ? 1 : 0); ++i) {
      json.String(spec.dimensions[i]);
    }
    json.EndArray().EndObject();
  }
  json.EndArray();
  return text;
}

std::string_view MetricKindName(MetricKind kind) {
  return kind == MetricKind::kCounter ? "counter"
         : kind == MetricKind::kGauge ? "gauge"
                                      : "histogram";
}

const MetricSpec* MetricsCatalog::FindServer(std::string_view name) const {
  return Find(server, name);
}
const MetricSpec* MetricsCatalog::FindModel(std::string_view name) const {
  return Find(model, name);
}

}  // namespace headrace::torchserve

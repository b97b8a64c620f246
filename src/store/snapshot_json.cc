// The JSON of snapshots.
#include <string>

#include "base/log.h"
#include "protocol/json_writer.h"
#include "store/settings_json.h"
#include "store/snapshot.h"

namespace headrace::store {
namespace {

namespace dom = simdjson::dom;

// As it lies in the store: an archive that came from a URL has its last part as its name.
std::string ArchiveNameOf(const std::string& url) {
  const std::string path = url.substr(0, url.find_first_of("?#"));
  return url.find("://") == std::string::npos ? url : path.substr(path.rfind('/') + 1);
}

void WriteVersion(const ModelFacts& version, protocol::JsonWriter& json) {
  json.Key(version.version).BeginObject();
  json.Key("defaultVersion").Bool(version.is_default);
  json.Key("marName").String(ArchiveNameOf(version.url));
  json.Key("minWorkers").Int(version.worker_count_min);
  json.Key("maxWorkers").Int(version.worker_count_max);
  json.Key("batchSize").Int(version.batch_size);
  json.Key("maxBatchDelay").Int(version.batch_delay_ms);
  json.Key("responseTimeout").Int(version.response_timeout_s);
  json.Key("startupTimeout").Int(version.startup_timeout_s);
  if (version.parallel_level > 0) {
    json.Key("parallelLevel").Int(version.parallel_level);
  }
  json.Key("runtimeType").String(version.runtime);
  json.EndObject();
}

Result<ModelStore::StartModel> ReadVersion(std::string_view name, std::string_view number,
                                           dom::element element) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) {
    return InvalidArgument("model_snapshot: version '{}' of '{}' must be an object",
                           EscapeForLog(number, 128), EscapeForLog(name, 128));
  }
  std::string_view archive, runtime;
  if (object.at_key("marName").get(archive) != simdjson::SUCCESS || archive.empty()) {
    return InvalidArgument("model_snapshot: version '{}' of '{}' has no 'marName'",
                           EscapeForLog(number, 128), EscapeForLog(name, 128));
  }
  ModelStore::StartModel model;
  model.registration.url = archive;
  model.registration.name = name;
  if (object.at_key("runtimeType").get(runtime) == simdjson::SUCCESS) {
    model.registration.runtime = runtime;
  }
  model.registration.settings = SettingsIn(object, 0);
  bool is_default = false;
  if (object.at_key("defaultVersion").get(is_default) == simdjson::SUCCESS && is_default) {
    model.default_version = number;
  }
  return model;
}

}  // namespace

std::string SnapshotJson(std::string_view name, std::int64_t created_unix_ms,
                         const std::vector<ModelFacts>& models) {
  std::string text;
  std::int64_t count = 0;
  protocol::JsonWriter json(text);
  json.BeginObject().Key("name").String(name);
  std::string versions;
  protocol::JsonWriter inner(versions);
  inner.BeginObject();
  const std::string* open = nullptr;
  for (const ModelFacts& version : models) {
    if (!version.internal_workflow.empty()) {
      continue;
    }
    if (open == nullptr || *open != version.name) {
      if (open != nullptr) {
        inner.EndObject();
      }
      inner.Key(version.name).BeginObject();
      open = &version.name;
      ++count;
    }
    WriteVersion(version, inner);
  }
  if (open != nullptr) {
    inner.EndObject();
  }
  inner.EndObject();
  json.Key("modelCount").Int(count).Key("created").Int(created_unix_ms);
  json.Key("models").Raw(versions).EndObject();
  return text;
}

Result<std::vector<ModelStore::StartModel>> ParseSnapshot(std::string_view text) {
  dom::parser parser;
  HEADRACE_ASSIGN_OR_RETURN(const dom::object root,
                            ParseJsonObject(text, "model_snapshot", parser));
  std::vector<ModelStore::StartModel> result;
  dom::object models;
  dom::element value;
  if (root.at_key("models").get(value) != simdjson::SUCCESS) {
    return result;
  }
  if (value.get(models) != simdjson::SUCCESS) {
    return InvalidArgument("model_snapshot: 'models' must be an object");
  }
  for (const auto model : models) {
    dom::object versions;
    if (model.value.get(versions) != simdjson::SUCCESS) {
      return InvalidArgument("model_snapshot: '{}' must be an object of versions",
                             EscapeForLog(model.key, 128));
    }
    for (const auto version : versions) {
      HEADRACE_ASSIGN_OR_RETURN(ModelStore::StartModel read,
                                ReadVersion(model.key, version.key, version.value));
      result.push_back(std::move(read));
    }
  }
  return result;
}

}  // namespace headrace::store

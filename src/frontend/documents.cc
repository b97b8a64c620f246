// The metadata of the server and of models, and the index of the repositories.
#include "frontend/documents.h"

#include <string_view>

#include "protocol/json_writer.h"

namespace headrace::frontend {
namespace {

using protocol::JsonWriter;

void WriteTensors(JsonWriter& json, const engine::ModelSignature& signature,
                  const std::vector<engine::TensorSpec>& specs) {
  json.BeginArray();
  for (const engine::TensorSpec& spec : specs) {
    json.BeginObject().Key("name").String(spec.name);
    json.Key("datatype").String(DataTypeName(spec.dtype)).Key("shape").BeginArray();
    for (const std::int64_t dim : signature.ClientShape(spec)) {
      json.Int(dim);
    }
    json.EndArray().EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string ServerMetadataJson(std::string_view server_id, std::string_view server_version) {
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("name").String(server_id);
  json.Key("version").String(server_version).Key("extensions").BeginArray();
  for (const std::string_view extension : ServerExtensions()) {
    json.String(extension);
  }
  json.EndArray().EndObject();
  return page;
}

std::string ModelMetadataJson(const ModelDescription& description) {
  const engine::ModelHandle& model = description.model;
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("name").String(model->name()).Key("versions").BeginArray();
  for (const std::int64_t version : description.versions) {
    json.String(std::to_string(version));
  }
  json.EndArray().Key("platform").String(model->options().platform);
  json.Key("inputs");
  WriteTensors(json, model->signature(), model->signature().inputs);
  json.Key("outputs");
  WriteTensors(json, model->signature(), model->signature().outputs);
  json.EndObject();
  return page;
}

std::string RepositoryIndexJson(const std::vector<repository::IndexEntry>& entries) {
  std::string page;
  JsonWriter json(page);
  json.BeginArray();
  for (const repository::IndexEntry& entry : entries) {
    json.BeginObject().Key("name").String(entry.name);
    if (!entry.name_space.empty()) {
      json.Key("namespace").String(entry.name_space);
    }
    if (!entry.version.empty()) {
      json.Key("version").String(entry.version);
    }
    if (!entry.state.empty()) {
      json.Key("state").String(entry.state);
    }
    if (!entry.reason.empty()) {
      json.Key("reason").String(entry.reason);
    }
    json.EndObject();
  }
  json.EndArray();
  return page;
}

}  // namespace headrace::frontend

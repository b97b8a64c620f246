// Server and model metadata.
#include <string>
#include <string_view>
#include <vector>

#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
#include "protocol/json_writer.h"

namespace headrace::frontend {
namespace {

using protocol::JsonWriter;

// What this server does, in Triton's order of the list.
constexpr std::string_view kExtensions[] = {
    "classification",      "model_repository",   "model_repository(unload_dependents)",
    "model_configuration", "binary_tensor_data", "parameters",
    "statistics"};

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

// The version asked for, or all that are READY, ascending.
std::vector<std::int64_t> VersionsShown(const Call& call, const engine::Model& model,
                                        const engine::RegistrySnapshot& snapshot) {
  if (!call.match.version.empty()) {
    return {model.version()};
  }
  std::vector<std::int64_t> versions;
  for (const auto& [version, entry] : snapshot.Find(call.match.model)->versions) {
    if (entry.state == engine::ModelState::kReady) {
      versions.push_back(version);
    }
  }
  return versions;
}

}  // namespace

void ServeServerMetadata(Call& call) {
  const FrontEndOptions& options = call.services.options;
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("name").String(options.server_id);
  json.Key("version").String(options.server_version).Key("extensions").BeginArray();
  for (const std::string_view extension : kExtensions) {
    json.String(extension);
  }
  json.EndArray().EndObject();
  ReplyJson(*call.exchange, std::move(page));
}

void ServeModelMetadata(Call& call) {
  const engine::RegistrySnapshot& snapshot = call.loop.models.Get();
  const Result<engine::ModelHandle> model = FindModel(call.match, snapshot);
  if (!model.ok()) {
    ReplyError(*call.exchange, model.status());
    return;
  }
  const engine::Model& found = **model;
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("name").String(found.name()).Key("versions").BeginArray();
  for (const std::int64_t version : VersionsShown(call, found, snapshot)) {
    json.String(std::to_string(version));
  }
  json.EndArray().Key("platform").String(found.options().platform);
  json.Key("inputs");
  WriteTensors(json, found.signature(), found.signature().inputs);
  json.Key("outputs");
  WriteTensors(json, found.signature(), found.signature().outputs);
  json.EndObject();
  ReplyJson(*call.exchange, std::move(page));
}

}  // namespace headrace::frontend

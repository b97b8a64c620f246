// Server and model metadata.
#include <string>
#include <string_view>
#include <vector>

#include "frontend/call.h"
#include "frontend/model_documents.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
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

void ServeServerMetadata(Call& call) {
  const FrontEndOptions& options = call.services.options;
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("name").String(options.server_id);
  json.Key("version").String(options.server_version).Key("extensions").BeginArray();
  for (const std::string_view extension : ServerExtensions()) {
    json.String(extension);
  }
  json.EndArray().EndObject();
  ReplyJson(*call.exchange, std::move(page));
}

void ServeModelMetadata(Call& call) {
  const Result<ModelDescription> description =
      DescribeModel(call.match.model, call.match.version, call.loop.models.Get());
  if (!description.ok()) {
    ReplyError(*call.exchange, description.status());
    return;
  }
  const engine::Model& found = *description->model;
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("name").String(found.name()).Key("versions").BeginArray();
  for (const std::int64_t version : description->versions) {
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

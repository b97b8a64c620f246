// The Open Inference Protocol's routes of the server, where it is enabled (contracts, TorchServe
// 1.9). Those of its models are the v2 handler's.
#include <string>

#include "protocol/json_writer.h"
#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"
#include "torchserve/apis.h"
#include "torchserve/readiness.h"

namespace headrace::torchserve {
namespace {

using protocol::JsonWriter;

void ServeServerMetadata(ApiCall& call) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("name").String("Torchserve");
  json.Key("version").String(call.api.options.version);
  // The second is how TorchServe spells it.
  for (const char* key : {"extensions", "extenstion"}) {
    json.Key(key).BeginArray().String("kserve").String("kubeflow").EndArray();
  }
  json.EndObject();
  ReplyJson(*call.exchange, 200, text);
}

void ReplyFlag(ApiCall& call, int status, std::string_view name, bool value) {
  std::string text;
  JsonWriter(text).BeginObject().Key(name).Bool(value).EndObject();
  ReplyJson(*call.exchange, status, text);
}

void ServeLive(ApiCall& call) { ReplyFlag(call, 200, "live", true); }

// TorchServe always says true here; a status that says no is what probes look at.
void ServeReady(ApiCall& call) {
  const bool ready = IsReady(call.api, call.services);
  ReplyFlag(call, ready ? 200 : 503, "ready", ready);
}

constexpr ApiRoute kRoutes[] = {
    {"/v2", "", Surface::kInference, false, ServeServerMetadata},
    {"/v2/health/live", "", Surface::kInference, false, ServeLive},
    {"/v2/health/ready", "", Surface::kInference, false, ServeReady},
};

}  // namespace

std::span<const ApiRoute> OpenInferenceRoutes() { return kRoutes; }

}  // namespace headrace::torchserve

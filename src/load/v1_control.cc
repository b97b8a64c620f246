#include "load/v1_control.h"

#include <utility>

#include "load/json_document.h"
#include "load/v2_http_control.h"

namespace headrace::load {
namespace {

std::string_view NameOf(Protocol protocol) {
  return protocol == Protocol::kV1            ? "KServe v1"
         : protocol == Protocol::kInvocations ? "the invocations protocol"
                                              : "raw HTTP";
}

// KServe: {"ready": true}; TensorFlow Serving: {"model_version_status": [{"state": "AVAILABLE"}]}.
bool SaysReady(JsonElement answer, const std::string& version) {
  if (const auto states = ArrayMember(answer, "model_version_status")) {
    for (const JsonElement state : *states) {
      if (StringMember(state, "state") == "AVAILABLE" &&
          (version.empty() || StringMember(state, "version") == version)) {
        return true;
      }
    }
    return false;
  }
  const auto ready = Member(answer, "ready");
  return !ready || BoolMember(answer, "ready") || StringMember(answer, "ready") == "True";
}

}  // namespace

Status V1Control::Missing(std::string_view what) const {
  return Unimplemented("{}: {} has no {}", http_.Url(""), NameOf(protocol_), what);
}

// Neither protocol says what serves: that something answers must do.
Result<ServerFacts> V1Control::Server() {
  HttpCall call;
  call.path = protocol_ == Protocol::kInvocations ? "/ping" : "/";
  HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, http_.Call(call));
  ServerFacts facts;
  if (const std::string* server = reply.Header("server")) {
    facts.name = *server;
  }
  return facts;
}

Result<bool> V1Control::ModelReady(const std::string& model, const std::string& version) {
  if (protocol_ == Protocol::kRawHttp) {
    return Missing("readiness of models");
  }
  HttpCall call;
  call.path = protocol_ == Protocol::kInvocations ? "/ping" : "/v1/models/" + EscapePath(model);
  HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, http_.Call(call));
  if (reply.ok() && protocol_ == Protocol::kInvocations) {
    return true;
  }
  // TorchServe has :predict of this protocol, and neither readiness nor a list.
  if (protocol_ == Protocol::kV1 && (reply.status == 404 || reply.status == 405) && !Index().ok()) {
    return Missing("readiness of models");
  }
  if (!reply.ok()) {
    return false;
  }
  const auto answer = JsonDocument::Parse(reply.body, http_.Url(call.path));
  return answer.ok() && SaysReady(answer->root(), version);
}

Result<ModelFacts> V1Control::Model(const std::string&, const std::string&) {
  return Missing("metadata of models");
}

Result<std::map<std::string, std::vector<ModelStatistics>>> V1Control::Statistics(
    const std::string&) {
  return Missing("statistics");
}

Result<std::vector<ModelState>> V1Control::Index() {
  if (protocol_ != Protocol::kV1) {
    return Missing("list of models");
  }
  HttpCall call;
  call.path = "/v1/models";
  HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, http_.Call(call));
  const std::string url = http_.Url(call.path);
  if (!reply.ok()) {
    return ReplyError("GET", url, reply);
  }
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument answer, JsonDocument::Parse(reply.body, url));
  std::vector<ModelState> states;
  if (const auto models = ArrayMember(answer.root(), "models")) {
    for (const JsonElement model : *models) {
      std::string_view name;
      if (model.get(name) == simdjson::SUCCESS) {
        states.push_back({std::string(name), "", "READY", ""});
      }
    }
  }
  return states;
}

Status V1Control::Load(const std::string&, const std::string&) {
  return Missing("way to load models");
}
Status V1Control::Unload(const std::string&) { return Missing("way to unload models"); }

Result<std::string> V1Control::Metrics() { return GetMetrics(metrics_.get(), metrics_path_); }

}  // namespace headrace::load

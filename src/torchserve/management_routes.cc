// TorchServe's management API: models that come, change and go (contracts, TorchServe 2).
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "frontend/replies.h"
#include "protocol/json_writer.h"
#include "store/model_store.h"
#include "torchserve/access.h"
#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"
#include "torchserve/customized_description.h"
#include "torchserve/management_documents.h"
#include "torchserve/management_parameters.h"
#include "torchserve/store_errors.h"

namespace headrace::torchserve {
namespace {

void ReplyDocument(net::HttpExchange& exchange, int status, std::string json,
                   std::string headers = {}) {
  net::HttpResponse response;
  response.status = status;
  response.content_type = frontend::kJsonType;
  response.extra_headers = std::move(headers);
  response.body.push_back(Buffer::FromString(std::move(json)));
  exchange.Respond(std::move(response));
}

void ReplyBadRequest(const ApiCall& call, const Status& status) {
  ReplyError(*call.exchange,
             {.code = 400, .type = "BadRequestException", .message = status.message()});
}

// What the store calls on one of its threads: answers on the exchange's loop, where the next
// request finds what has changed.
store::StoreDone AnswerWhenDone(const ApiCall& call) {
  return [exchange = call.exchange, &loops = call.services.loops](store::StoreReply reply) {
    loops.RefreshAll();
    exchange->loop().PostFunction([exchange, answer = AnswerOf(reply)]() mutable {
      ReplyDocument(*exchange, answer.status, std::move(answer.json), std::move(answer.headers));
    });
  };
}

// Whether the call was refused because models may not come and go here.
bool RefusedByModelControl(const ApiCall& call) {
  if (call.api.access.model_api()) {
    return false;
  }
  ReplyError(*call.exchange, {.code = 405,
                              .type = "MethodNotAllowedException",
                              .message = std::string(Access::model_api_refusal())});
  return true;
}

std::string VersionOf(const ApiCall& call) { return call.path.size() > 2 ? call.path[2] : ""; }

void List(ApiCall& call) {
  const ManagementParameters parameters(call.query);
  ReplyDocument(*call.exchange, 200,
                ModelListJson(call.api.store.List(), parameters.Number("limit").value_or(100),
                              parameters.Number("next_page_token").value_or(0)));
}

void Register(ApiCall& call) {
  if (RefusedByModelControl(call)) {
    return;
  }
  const auto parameters = ParametersOf(call);
  if (!parameters.ok()) {
    ReplyBadRequest(call, parameters.status());
    return;
  }
  auto registration = RegistrationOf(*parameters);
  if (!registration.ok()) {
    ReplyBadRequest(call, registration.status());
    return;
  }
  call.api.store.Register(*std::move(registration), AnswerWhenDone(call));
}

void Describe(ApiCall& call) {
  const std::string version = VersionOf(call);
  const ManagementParameters parameters(call.query);
  store::ModelStore::Described described = call.api.store.Describe(call.path[1], version);
  if (!described.error.ok()) {
    ReplyError(*call.exchange, ErrorOf(described.error));
    return;
  }
  if (version == "all" || !parameters.Switch("customized", false)) {
    ReplyDocument(*call.exchange, 200, DescriptionJson(described.models));
    return;
  }
  auto models = std::make_shared<std::vector<store::ModelFacts>>(std::move(described.models));
  DescribeByHandler(models->front(), call.services.pool,
                    [exchange = call.exchange, models](const CustomizedDescription& description) {
                      exchange->loop().PostFunction([exchange, models, description] {
                        if (description.error) {
                          ReplyError(*exchange, *description.error);
                        } else {
                          ReplyDocument(*exchange, 200, DescriptionJson(*models, description.json));
                        }
                      });
                    });
}

void Scale(ApiCall& call) {
  const ManagementParameters parameters(call.query);
  store::ModelStore::Scaling scaling;
  scaling.name = call.path[1];
  scaling.version =
      call.path.size() > 2 ? call.path[2] : parameters.Text("model_version").value_or("");
  scaling.worker_count_min = parameters.Number("min_worker").value_or(1);
  scaling.worker_count_max = parameters.Number("max_worker").value_or(scaling.worker_count_min);
  scaling.synchronous = parameters.Switch("synchronous", false);
  call.api.store.Scale(std::move(scaling), AnswerWhenDone(call));
}

void Unregister(ApiCall& call) {
  if (!RefusedByModelControl(call)) {
    call.api.store.Unregister(call.path[1], VersionOf(call), AnswerWhenDone(call));
  }
}

void SetDefault(ApiCall& call) {
  call.api.store.SetDefault(call.path[1], call.path[2], AnswerWhenDone(call));
}

// KServe's readiness of one model: ready when it has workers.
void KserveReady(ApiCall& call) {
  const store::ModelStore::Described described = call.api.store.Describe(call.path[2], {});
  if (!described.error.ok()) {
    ReplyError(*call.exchange, ErrorOf(described.error));
    return;
  }
  const store::ModelFacts& model = described.models.front();
  std::string json;
  protocol::JsonWriter(json)
      .BeginObject()
      .Key("name")
      .String(model.name)
      .Key("ready")
      .Bool(!model.workers.empty())
      .EndObject();
  ReplyJson(*call.exchange, 200, json);
}

constexpr ApiRoute kRoutes[] = {
    {"/models", "GET", Surface::kManagement, false, List},
    {"/models", "POST", Surface::kManagement, false, Register},
    {"/models/*", "GET", Surface::kManagement, false, Describe},
    {"/models/*", "PUT", Surface::kManagement, false, Scale},
    {"/models/*", "DELETE", Surface::kManagement, false, Unregister},
    {"/models/*/*", "GET", Surface::kManagement, false, Describe},
    {"/models/*/*", "PUT", Surface::kManagement, false, Scale},
    {"/models/*/*", "DELETE", Surface::kManagement, false, Unregister},
    {"/models/*/*/set-default", "PUT", Surface::kManagement, false, SetDefault},
    {"/v1/models/*", "GET", Surface::kManagement, false, KserveReady},
};

}  // namespace

std::span<const ApiRoute> ManagementRoutes() { return kRoutes; }

}  // namespace headrace::torchserve

// TorchServe's workflows: registered, described and unregistered on the management listener,
// behind the model API's switch; run on that of inference (contracts, TorchServe 7.4).
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/call.h"
#include "frontend/client_key.h"
#include "frontend/prediction_answer.h"
#include "frontend/prediction_request.h"
#include "frontend/replies.h"
#include "frontend/torchserve_error.h"
#include "net/event_loop.h"
#include "protocol/json_writer.h"
#include "store/workflows.h"
#include "torchserve/access.h"
#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"
#include "torchserve/management_parameters.h"
#include "torchserve/store_errors.h"
#include "torchserve/workflow_answer.h"

namespace headrace::torchserve {
namespace {

using protocol::JsonWriter;

constexpr std::int64_t kListLimit = 100;

// Answers with what the operation has come to, from whatever thread it tells.
store::StoreDone AnswerLater(const ApiCall& call) {
  return [exchange = call.exchange, &loops = call.services.loops](const store::StoreReply& reply) {
    // The next request on any loop finds what has changed.
    loops.RefreshAll();
    exchange->loop().PostFunction([exchange, reply] {
      if (reply.error.ok()) {
        ReplyStatus(*exchange, 200, reply.text);
      } else {
        ReplyError(*exchange, ErrorOf(reply.error));
      }
    });
  };
}

void ReplyBadRequest(const ApiCall& call, std::string message) {
  ReplyError(*call.exchange,
             {.code = 400, .type = "BadRequestException", .message = std::move(message)});
}

std::optional<std::int64_t> Positive(std::optional<std::int64_t> number) {
  return number && *number > 0 ? number : std::nullopt;
}

// Unlike TorchServe 0.12, which forgot its switch here.
bool RefuseModelApi(ApiCall& call) {
  if (call.api.access.model_api()) {
    return false;
  }
  ReplyError(*call.exchange, {.code = 405,
                              .type = "MethodNotAllowedException",
                              .message = std::string(Access::model_api_refusal())});
  return true;
}

void Register(ApiCall& call) {
  if (RefuseModelApi(call)) {
    return;
  }
  const Result<ManagementParameters> parameters = ParametersOf(call);
  if (!parameters.ok()) {
    ReplyBadRequest(call, parameters.status().message());
    return;
  }
  store::WorkflowRegistration registration{
      .url = parameters->Text("url").value_or(""),
      .name = parameters->Text("workflow_name").value_or(""),
      .response_timeout_s = Positive(parameters->Number("response_timeout")),
      .startup_timeout_s = Positive(parameters->Number("startup_timeout")),
      .s3_sse_kms = parameters->Switch("s3_sse_kms", false)};
  if (registration.url.empty()) {
    ReplyBadRequest(call, "Parameter url is required.");
    return;
  }
  call.api.workflows.Register(std::move(registration), AnswerLater(call));
}

void Unregister(ApiCall& call) {
  if (!RefuseModelApi(call)) {
    call.api.workflows.Unregister(call.path[1], AnswerLater(call));
  }
}

void List(ApiCall& call) {
  const std::vector<store::WorkflowFacts> all = call.api.workflows.List();
  const ManagementParameters parameters(call.query);
  const auto limit = static_cast<std::size_t>(
      std::min(Positive(parameters.Number("limit")).value_or(kListLimit), kListLimit));
  const std::size_t first =
      std::min(static_cast<std::size_t>(Positive(parameters.Number("next_page_token")).value_or(0)),
               all.size());
  const std::size_t end = first + std::min(limit, all.size() - first);
  std::string json;
  JsonWriter writer(json);
  writer.BeginObject();
  if (end < all.size()) {
    writer.Key("nextPageToken").String(std::to_string(end));
  }
  writer.Key("workflows").BeginArray();
  for (std::size_t i = first; i < end; ++i) {
    writer.BeginObject().Key("workflowName").String(all[i].name);
    writer.Key("workflowUrl").String(all[i].url).EndObject();
  }
  writer.EndArray().EndObject();
  ReplyJson(*call.exchange, 200, json);
}

void Describe(ApiCall& call) {
  store::WorkflowFacts facts;
  if (const store::StoreError error = call.api.workflows.Describe(call.path[1], facts);
      !error.ok()) {
    ReplyError(*call.exchange, ErrorOf(error));
    return;
  }
  std::string json;
  JsonWriter writer(json);
  writer.BeginArray().BeginObject();
  writer.Key("workflowName").String(facts.name).Key("workflowUrl").String(facts.url);
  writer.Key("minWorkers").Int(facts.defaults.worker_count_min);
  writer.Key("maxWorkers").Int(facts.defaults.worker_count_max);
  writer.Key("batchSize").Int(facts.defaults.batch_size);
  writer.Key("maxBatchDelay").Int(facts.defaults.batch_delay_ms);
  writer.Key("workflowDag").String(facts.dag).EndObject().EndArray();
  ReplyJson(*call.exchange, 200, json);
}

// The client's end of a run.
class ExchangeReply final : public store::WorkflowReply {
 public:
  ExchangeReply(net::HttpExchangeRef exchange, std::string request_id)
      : exchange_(std::move(exchange)), request_id_(std::move(request_id)) {}

  bool Cancelled() const override { return exchange_->cancelled(); }
  void Finish(store::WorkflowOutcome outcome) override {
    exchange_->loop().PostFunction(
        [exchange = exchange_, request_id = request_id_, outcome = std::move(outcome)]() mutable {
          Answer(*exchange, request_id, std::move(outcome));
        });
  }

 private:
  static void Answer(net::HttpExchange& exchange, const std::string& request_id,
                     store::WorkflowOutcome outcome) {
    if (exchange.cancelled()) {
      return;
    }
    exchange.AddHeaders(frontend::PredictionHeaders(request_id));
    if (!outcome.error.ok()) {
      ReplyError(exchange, ErrorOf(outcome.error));
      return;
    }
    Result<std::vector<Buffer>> body = WorkflowBody(std::move(outcome.leaves));
    if (!body.ok()) {
      ReplyError(exchange, {.code = 500, .message = body.status().message()});
      return;
    }
    net::HttpResponse response;
    response.content_type = frontend::kJsonType;
    response.body = *std::move(body);
    exchange.Respond(std::move(response));
  }

  const net::HttpExchangeRef exchange_;
  const std::string request_id_;
};

// /wfpredict/{workflow}; what stands behind it is not looked at, as in TorchServe.
void Predict(ApiCall& call) {
  if (call.path.size() < 2) {
    RefuseRequest(call, ResourceNotFound());
    return;
  }
  std::string id = frontend::RequestIdOf(call.exchange->head());
  frontend::PredictionPlan plan;
  plan.handler_id = id;
  Result<protocol::V2InferRequest> built =
      frontend::BuildPrediction(*call.exchange, {}, std::move(plan), id);
  if (!built.ok()) {
    RefuseRequest(call, frontend::ErrorOf(built.status(), 0));
    return;
  }
  store::WorkflowRequest request;
  request.id = id;
  request.inputs = std::move(built->inputs);
  request.parameters = std::move(built->parameters);
  request.client = frontend::ClientKey(call.services.options, *call.exchange);
  request.received = call.exchange->received();
  call.api.workflows.Run(call.path[1], std::move(request),
                         std::make_unique<ExchangeReply>(call.exchange, std::move(id)));
}

constexpr ApiRoute kRoutes[] = {
    {"/wfpredict/**", "", Surface::kInference, true, Predict},
    {"/workflows", "GET", Surface::kManagement, false, List},
    {"/workflows", "POST", Surface::kManagement, false, Register},
    {"/workflows/*", "GET", Surface::kManagement, false, Describe},
    {"/workflows/*", "DELETE", Surface::kManagement, false, Unregister},
};

}  // namespace

std::span<const ApiRoute> WorkflowRoutes() { return kRoutes; }

}  // namespace headrace::torchserve

// TorchServe's workflows: registered, described and unregistered on the management listener,
// behind the model API's switch; run on that of inference (contracts, TorchServe 7.4).
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "frontend/call.h"
#include "frontend/client_key.h"
#include "frontend/prediction_answer.h"
#include "frontend/prediction_request.h"
#include "frontend/replies.h"
#include "frontend/torchserve_error.h"
#include "net/event_loop.h"
#include "protocol/json_writer.h"
#include "protocol/multipart.h"
#include "store/workflows.h"
#include "torchserve/access.h"
#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"
#include "torchserve/store_errors.h"
#include "torchserve/workflow_answer.h"

namespace headrace::torchserve {
namespace {

using frontend::TorchServeError;
using protocol::JsonWriter;

constexpr std::size_t kListLimit = 100;

class LoopFunction final : public net::LoopTask {
 public:
  explicit LoopFunction(std::function<void()> run) : run_(std::move(run)) {}
  void Run() override { run_(); }

 private:
  const std::function<void()> run_;
};

// Answers with what the operation has come to, from whatever thread it tells.
store::StoreDone AnswerLater(net::HttpExchangeRef exchange) {
  return [exchange = std::move(exchange)](store::StoreReply reply) {
    exchange->loop().Post(
        std::make_unique<LoopFunction>([exchange, reply = std::move(reply)] {
          if (exchange->cancelled()) {
            return;
          }
          if (reply.error.ok()) {
            ReplyStatus(*exchange, 200, reply.text);
          } else {
            ReplyError(*exchange, ErrorOf(reply.error));
          }
        }));
  };
}

// The last of that name.
std::optional<std::string> QueryField(const ApiCall& call, std::string_view name) {
  std::optional<std::string> found;
  for (const auto& [key, value] : call.query) {
    if (key == name) {
      found = value;
    }
  }
  return found;
}

// As TorchServe reads numbers: what is none is the default.
std::optional<std::int64_t> Number(const std::optional<std::string>& text) {
  std::int64_t number = 0;
  if (!text || text->empty()) {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  return error == std::errc() && end == text->data() + text->size() && number > 0
             ? std::optional(number)
             : std::nullopt;
}

// A field of the JSON that the body is, as text.
std::optional<std::string> JsonField(simdjson::dom::object object, std::string_view name) {
  simdjson::dom::element element;
  if (object.at_key(name).get(element) != simdjson::SUCCESS || element.is_null()) {
    return std::nullopt;
  }
  std::string_view text;
  return element.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(element);
}

using Fields = std::function<std::optional<std::string>(std::string_view name)>;

store::WorkflowRegistration RegistrationOf(const Fields& field) {
  return {.url = field("url").value_or(""),
          .name = field("workflow_name").value_or(""),
          .response_timeout_s = Number(field("response_timeout")),
          .startup_timeout_s = Number(field("startup_timeout")),
          .s3_sse_kms = EqualsIgnoringCase(field("s3_sse_kms").value_or(""), "true")};
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
  store::WorkflowRegistration registration;
  const std::string_view type = call.exchange->head().Header("Content-Type").value_or("");
  if (EqualsIgnoringCase(protocol::MediaType(type), "application/json")) {
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(std::string(call.body())).get(object) != simdjson::SUCCESS) {
      ReplyError(*call.exchange, {.code = 400,
                                  .type = "BadRequestException",
                                  .message = "The body is no JSON object."});
      return;
    }
    registration = RegistrationOf([&](std::string_view name) { return JsonField(object, name); });
  } else {
    registration = RegistrationOf([&](std::string_view name) { return QueryField(call, name); });
  }
  if (registration.url.empty()) {
    ReplyError(*call.exchange, {.code = 400,
                                .type = "BadRequestException",
                                .message = "Parameter url is required."});
    return;
  }
  call.api.workflows.Register(std::move(registration), AnswerLater(call.exchange));
}

void Unregister(ApiCall& call) {
  if (!RefuseModelApi(call)) {
    call.api.workflows.Unregister(call.path[1], AnswerLater(call.exchange));
  }
}

void List(ApiCall& call) {
  const std::vector<store::WorkflowFacts> all = call.api.workflows.List();
  const auto limit = static_cast<std::size_t>(std::min<std::int64_t>(
      Number(QueryField(call, "limit")).value_or(kListLimit), kListLimit));
  const std::size_t first = std::min(
      static_cast<std::size_t>(Number(QueryField(call, "next_page_token")).value_or(0)),
      all.size());
  const std::size_t end = std::min(first + limit, all.size());
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
    exchange_->loop().Post(std::make_unique<LoopFunction>(
        [exchange = exchange_, request_id = request_id_,
         outcome = std::make_shared<store::WorkflowOutcome>(std::move(outcome))] {
          Answer(*exchange, request_id, std::move(*outcome));
        }));
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

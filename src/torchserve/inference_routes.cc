// TorchServe's inference API: health and predictions (contracts, TorchServe 1.2).
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "frontend/predictions.h"
#include "frontend/replies.h"
#include "protocol/multipart.h"
#include "protocol/urlencoded.h"
#include "store/model_store.h"
#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"
#include "torchserve/metrics.h"
#include "torchserve/model_description.h"
#include "torchserve/readiness.h"

namespace headrace::torchserve {
namespace {

using frontend::PredictionTarget;

void ServePing(ApiCall& call) {
  const bool healthy = IsHealthy(call.api, call.services);
  ReplyStatus(*call.exchange, healthy ? 200 : 500, healthy ? "Healthy" : "Unhealthy");
}

// OPTIONS asks for the description in place of a prediction.
void ServeModel(ApiCall& call, std::string_view model, std::string_view version,
                const PredictionTarget& target) {
  if (call.exchange->head().method == net::HttpMethod::kOptions) {
    ReplyModelDescription(call, model, version);
    return;
  }
  frontend::Predict(call.services, call.loop, std::move(call.exchange), model, version, target,
                    &call.api.metrics);
}

// /predictions/{model}[/{version}[/{path...}]], and the same of explanations.
void ServePath(ApiCall& call, bool explain) {
  if (call.path.size() < 2) {
    RefuseRequest(call, ResourceNotFound());
    return;
  }
  PredictionTarget target{.url_path = std::string(), .explain = explain};
  for (std::size_t i = 3; i < call.path.size(); ++i) {
    target.url_path->append(i == 3 ? "" : "/").append(call.path[i]);
  }
  const std::string_view version =
      call.path.size() > 2 ? std::string_view(call.path[2]) : std::string_view();
  ServeModel(call, call.path[1], version, target);
}
void ServePrediction(ApiCall& call) { ServePath(call, false); }
void ServeExplanation(ApiCall& call) { ServePath(call, true); }

// /{model}/predict and /{model}/{version}/predict.
void ServeLegacy(ApiCall& call) {
  const std::string version = call.path.size() == 3 ? call.path[1] : std::string();
  ServeModel(call, call.path[0], version,
             {.url_path = {}, .explain = {}, .query_inputs = call.query});
}

// /models/{model}/invoke.
void ServeInvoke(ApiCall& call) {
  ServeModel(call, call.path[1], {}, {.url_path = {}, .explain = {}, .query_inputs = call.query});
}

// A field of the form that the body is; nothing if it is none, or has none of that name.
std::optional<std::string> FormField(const net::HttpExchange& exchange, std::string_view name) {
  const std::string_view header = exchange.head().Header("Content-Type").value_or("");
  const auto find = [name](const std::vector<protocol::FormPart>& parts, std::string_view bytes) {
    std::optional<std::string> value;
    for (const protocol::FormPart& part : parts) {
      if (part.name == name) {
        value = std::string(bytes.substr(part.offset, part.byte_size));
      }
    }
    return value;
  };
  const std::string_view type = protocol::MediaType(header);
  const std::string_view body = exchange.body().view();
  if (EqualsIgnoringCase(type, "application/x-www-form-urlencoded")) {
    const auto form = protocol::ParseUrlencoded(body);
    return form.ok() ? find(form->parts, form->values) : std::nullopt;
  }
  const auto boundary = protocol::MultipartBoundary(header);
  if (!EqualsIgnoringCase(type, "multipart/form-data") || !boundary) {
    return std::nullopt;
  }
  const auto parts = protocol::ParseMultipart(body, *boundary);
  return parts.ok() ? find(*parts, body) : std::nullopt;
}

// The one model that was loaded at the start; nothing if there were none, or several.
std::optional<std::string> OnlyModel(const store::ModelStore& store) {
  std::optional<std::string> only;
  for (const store::ModelFacts& facts : store.List()) {
    if (!facts.loaded_at_start || !facts.internal_workflow.empty()) {
      continue;
    }
    if (only) {
      return std::nullopt;
    }
    only = facts.name;
  }
  return only;
}

void ServeInvocations(ApiCall& call) {
  std::optional<std::string> model;
  for (const auto& [name, value] : call.query) {
    if (name == "model_name") {
      model = value;
    }
  }
  if (!model) {
    model = FormField(*call.exchange, "model_name");
  }
  if (!model) {
    model = OnlyModel(call.api.store);
  }
  if (!model) {
    RefuseRequest(call, {.code = 400,
                         .type = "BadRequestException",
                         .message = "Parameter model_name is required."});
    return;
  }
  ServeModel(call, *model, {}, {.url_path = {}, .explain = {}, .query_inputs = call.query});
}

// /v1/models/{model}:predict and :explain.
void ServeKserve(ApiCall& call, std::string_view ending, bool explain) {
  const std::string_view segment = call.path[2];
  ServeModel(call, segment.substr(0, segment.size() - ending.size()), {},
             {.url_path = {}, .explain = explain});
}
void ServeV1Predict(ApiCall& call) { ServeKserve(call, ":predict", false); }
void ServeV1Explain(ApiCall& call) { ServeKserve(call, ":explain", true); }

void ServeV2Infer(ApiCall& call) {
  ServeModel(call, call.path[2], {}, {.url_path = {}, .explain = false});
}
void ServeV2Explain(ApiCall& call) {
  ServeModel(call, call.path[2], {}, {.url_path = {}, .explain = true});
}

constexpr ApiRoute kRoutes[] = {
    {"/ping/**", "", Surface::kInference, false, ServePing},
    {"/predictions/**", "", Surface::kInference, true, ServePrediction},
    {"/explanations/**", "", Surface::kInference, true, ServeExplanation},
    {"/invocations", "", Surface::kInference, true, ServeInvocations},
    {"/models/*/invoke", "", Surface::kInference, true, ServeInvoke},
    {"/v1/models/*:predict", "", Surface::kInference, true, ServeV1Predict},
    {"/v1/models/*:explain", "", Surface::kInference, true, ServeV1Explain},
    {"/v2/models/*/infer", "", Surface::kInference, true, ServeV2Infer, true},
    {"/v2/models/*/explain", "", Surface::kInference, true, ServeV2Explain, true},
    {"/*/predict", "", Surface::kInference, true, ServeLegacy},
    {"/*/*/predict", "", Surface::kInference, true, ServeLegacy},
};

}  // namespace

std::span<const ApiRoute> InferenceRoutes() { return kRoutes; }

}  // namespace headrace::torchserve

#include "frontend/predictions.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "frontend/call.h"
#include "frontend/client_key.h"
#include "frontend/infer_submit.h"
#include "frontend/prediction_answer.h"
#include "frontend/prediction_reply.h"
#include "frontend/prediction_schedule.h"
#include "frontend/prediction_watcher.h"
#include "frontend/torchserve_error.h"
#include "frontend/v2_infer.h"
#include "protocol/urlencoded.h"

namespace headrace::frontend {
namespace {

TorchServeError NotFoundHere() {
  return {.code = 404,
          .type = "ResourceNotFoundException",
          .message = "Requested resource is not found, please refer to API document."};
}

// What a path of the v2 router asks for, decoded.
struct Target {
  std::string model, version;
  PredictionTarget prediction;
};

// The whole number that a version is, or looks like: "1" and "1.0" are 1.
std::optional<std::int64_t> NumberOf(std::string_view version) {
  if (version.ends_with(".0")) {
    version.remove_suffix(2);
  }
  std::int64_t number = 0;
  const auto [end, error] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  const bool whole = error == std::errc() && end == version.data() + version.size() &&
                     version.front() != '0' && number > 0;
  return whole ? std::optional(number) : std::nullopt;
}

// The number that `version` has in the registry; nothing if no version is called so.
std::optional<std::int64_t> FindVersion(const engine::ModelEntry& entry, std::string_view version) {
  for (const auto& [number, candidate] : entry.versions) {
    if (candidate.model != nullptr && candidate.model->options().version_name == version) {
      return number;
    }
  }
  const std::optional<std::int64_t> number = NumberOf(version);
  return number && entry.versions.contains(*number) ? number : std::nullopt;
}

TorchServeError UnknownVersion(std::string_view model, std::string_view version) {
  return {.code = 404,
          .type = "ModelVersionNotFoundException",
          .message = fmt::format("Model version: {} does not exist for model: {}", version, model)};
}

RefusalReason ReasonOf(const TorchServeError& error) {
  switch (error.code) {
    case 404:
      return RefusalReason::kUnknownModel;
    case 413:
      return RefusalReason::kTooLarge;
    case 503:
      return RefusalReason::kNotReady;
    default:
      return RefusalReason::kMalformed;
  }
}

Refusal Count(const Services& services, const engine::Model* model, std::string_view request_id,
              const TorchServeError& error) {
  CountRefusal(services, model, ReasonOf(error));
  Refusal answer = RefusalOf(error);
  answer.headers.insert(0, PredictionHeaders(request_id));
  return answer;
}

std::optional<TorchServeError> Resolve(const RouteMatch& match, Target& target) {
  // Segments were cut before they are decoded: an encoded slash stays in its segment, and finds no
  // model.
  const std::string_view rest = match.rest;
  const std::string_view version_text = rest.substr(0, rest.find('/'));
  auto name = protocol::PercentDecode(match.model, false);
  auto version = protocol::PercentDecode(version_text, false);
  auto path = protocol::PercentDecode(
      rest.size() > version_text.size() ? rest.substr(version_text.size() + 1) : std::string_view(),
      false);
  if (!name.ok() || !version.ok() || !path.ok() || name->empty()) {
    return NotFoundHere();
  }
  target.model = *std::move(name);
  target.version = *std::move(version);
  target.prediction.url_path = *std::move(path);
  return std::nullopt;
}

void Serve(Call& call, bool explain) {
  Target target;
  if (const auto error = Resolve(call.match, target)) {
    const std::string id = RequestIdOf(call.exchange->head());
    Reply(*call.exchange, Count(call.services, nullptr, id, *error));
    return;
  }
  target.prediction.explain = explain;
  Predict(call.services, call.loop, std::move(call.exchange), target.model, target.version,
          target.prediction);
}

}  // namespace

std::optional<TorchServeError> FindHandler(std::string_view model, std::string_view version,
                                           const engine::RegistrySnapshot& models,
                                           engine::ModelHandle& found) {
  std::optional<std::int64_t> number;
  if (!version.empty()) {
    const auto entry = models.Resolve(model);
    if (entry.ok() && !(number = FindVersion(**entry, version))) {
      return UnknownVersion(model, version);
    }
  }
  auto looked_up = models.Lookup(model, number);
  if (!looked_up.ok()) {
    if (looked_up.status().code() == StatusCode::kNotFound) {
      return TorchServeError{.code = 404,
                             .type = "ModelNotFoundException",
                             .message = fmt::format("Model not found: {}", model)};
    }
    return ErrorOf(looked_up.status(), 0);
  }
  if ((*looked_up)->options().platform != "handler") {
    return TorchServeError{
        .code = 400,
        .type = "BadRequestException",
        .message =
            fmt::format("Model {0} is no handler: send requests to /v2/models/{0}/infer", model)};
  }
  found = *std::move(looked_up);
  return std::nullopt;
}

void Predict(Services& services, LoopContext& loop, net::HttpExchangeRef exchange,
             std::string_view model_name, std::string_view version, const PredictionTarget& target,
             PredictionWatcher* watcher) {
  std::string request_id = RequestIdOf(exchange->head());
  engine::ModelHandle model;
  if (const auto error = FindHandler(model_name, version, loop.models.Get(), model)) {
    Reply(*exchange, Count(services, model.get(), request_id, *error));
    return;
  }
  auto plan = PlanPrediction(exchange->head(), *model, services.options, request_id);
  auto request = plan.ok() ? BuildPrediction(*exchange, target, *std::move(plan), request_id)
                           : Result<protocol::V2InferRequest>(plan.status());
  if (!request.ok()) {
    Reply(*exchange, Count(services, model.get(), request_id, ErrorOf(request.status(), 0)));
    return;
  }
  const RouteMatch no_match;
  InferSubmission submission;
  submission.request = *std::move(request);
  submission.trace = BeginHttpTrace(Call{services, loop, no_match, exchange}, *model);
  submission.received = exchange->received();
  submission.client = ClientKey(services.options, *exchange);
  PredictionReplyPlan reply{.request_id = std::move(request_id),
                            .version = std::string(version),
                            .trace = submission.trace};
  auto sink = MakePredictionSink(std::move(exchange), model, std::move(reply), services);
  if (watcher != nullptr) {
    watcher->WatchPrediction(model->name(), version, submission, sink);
  }
  SubmitInfer(std::move(model), std::move(submission), std::move(sink));
}

void ServePrediction(Call& call) { Serve(call, false); }

void ServeExplanation(Call& call) { Serve(call, true); }

std::optional<Refusal> RefusePredictionEarly(Services& services, const RouteMatch& match,
                                             const net::HttpRequestHead& head,
                                             const engine::RegistrySnapshot& models) {
  Target target;
  engine::ModelHandle model;
  std::optional<TorchServeError> error = Resolve(match, target);
  if (!error) {
    error = FindHandler(target.model, target.version, models, model);
  }
  const std::uint64_t byte_size_max = services.InputByteSizeMax();
  if (!error && head.content_length.value_or(0) > byte_size_max) {
    error = TorchServeError{
        .code = 413,
        .type = "RequestEntityTooLargeException",
        .message = fmt::format("The request has {} bytes, the limit is {} (--http-max-input-size)",
                               *head.content_length, byte_size_max)};
  }
  if (error) {
    return Count(services, model.get(), RequestIdOf(head), *error);
  }
  return std::nullopt;
}

}  // namespace headrace::frontend

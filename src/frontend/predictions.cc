#include "frontend/predictions.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "frontend/call.h"
#include "frontend/infer_submit.h"
#include "frontend/prediction_answer.h"
#include "frontend/prediction_reply.h"
#include "frontend/prediction_request.h"
#include "frontend/torchserve_error.h"
#include "frontend/v2_infer.h"
#include "protocol/urlencoded.h"

namespace headrace::frontend {
namespace {

struct Target {
  engine::ModelHandle model;
  PredictionTarget prediction;
};

struct PredictionRefusal {
  TorchServeError error;
  RefusalReason reason = RefusalReason::kMalformed;
};

PredictionRefusal NotFoundHere() {
  return {{.code = 404,
           .type = "ResourceNotFoundException",
           .message = "Requested resource is not found, please refer to API document."},
          RefusalReason::kUnknownModel};
}

// TorchServe's versions look like "1.0"; those of a repository are whole numbers.
std::string_view WholeVersion(std::string_view version) {
  return version.ends_with(".0") ? version.substr(0, version.size() - 2) : version;
}

std::optional<PredictionRefusal> FindHandler(std::string_view name, std::string_view version,
                                             const engine::RegistrySnapshot& models,
                                             engine::ModelHandle& model) {
  auto found = FindModel(name, WholeVersion(version), models);
  if (!found.ok() && found.status().code() == StatusCode::kNotFound) {
    const bool other_version =
        !version.empty() && FindModel(name, {}, models).status().code() != StatusCode::kNotFound;
    TorchServeError error{.code = 404};
    error.type = other_version ? "ModelVersionNotFoundException" : "ModelNotFoundException";
    error.message =
        other_version ? fmt::format("Model version: {} does not exist for model: {}", version, name)
                      : fmt::format("Model not found: {}", name);
    return PredictionRefusal{std::move(error), RefusalReason::kUnknownModel};
  }
  if (!found.ok()) {
    return PredictionRefusal{ErrorOf(found.status(), 0), RefusalReason::kNotReady};
  }
  model = *std::move(found);
  if (model->options().platform != "handler") {
    return PredictionRefusal{
        {.code = 400,
         .type = "BadRequestException",
         .message =
             fmt::format("Model {0} is no handler: send requests to /v2/models/{0}/infer", name)},
        RefusalReason::kUnsupported};
  }
  return std::nullopt;
}

std::optional<PredictionRefusal> Resolve(const RouteMatch& match,
                                         const engine::RegistrySnapshot& models, Target& target) {
  // Segments were cut before they are decoded: an encoded slash stays in its segment, and finds no
  // model.
  const auto name = protocol::PercentDecode(match.model, false);
  const std::string_view rest = match.rest;
  const std::string_view version_text = rest.substr(0, rest.find('/'));
  const auto version = protocol::PercentDecode(version_text, false);
  const auto path = protocol::PercentDecode(
      rest.size() > version_text.size() ? rest.substr(version_text.size() + 1) : std::string_view(),
      false);
  if (!name.ok() || !version.ok() || !path.ok() || name->empty()) {
    return NotFoundHere();
  }
  target.prediction.url_path = *path;
  return FindHandler(*name, *version, models, target.model);
}

Refusal Count(const Services& services, const engine::Model* model, std::string_view request_id,
              const PredictionRefusal& refusal) {
  CountRefusal(services, model, refusal.reason);
  Refusal answer = RefusalOf(refusal.error);
  answer.headers.insert(0, PredictionHeaders(request_id));
  return answer;
}

void Serve(Call& call, bool explain) {
  Target target;
  std::string request_id = RequestIdOf(call.exchange->head());
  if (const auto refusal = Resolve(call.match, call.loop.models.Get(), target)) {
    Reply(*call.exchange, Count(call.services, target.model.get(), request_id, *refusal));
    return;
  }
  target.prediction.explain = explain;
  auto request = BuildPrediction(*call.exchange, target.prediction, request_id);
  if (!request.ok()) {
    Reply(*call.exchange,
          Count(call.services, target.model.get(), request_id, {ErrorOf(request.status(), 0)}));
    return;
  }
  InferSubmission submission;
  submission.request = *std::move(request);
  submission.trace = BeginHttpTrace(call, *target.model);
  submission.received = call.exchange->received();
  auto sink = MakePredictionSink(std::move(call.exchange), target.model, std::move(request_id),
                                 submission.trace, call.services);
  SubmitInfer(std::move(target.model), std::move(submission), std::move(sink));
}

}  // namespace

void ServePrediction(Call& call) { Serve(call, false); }

void ServeExplanation(Call& call) { Serve(call, true); }

std::optional<Refusal> RefusePredictionEarly(Services& services, const RouteMatch& match,
                                             const net::HttpRequestHead& head,
                                             const engine::RegistrySnapshot& models) {
  Target target;
  if (const auto refusal = Resolve(match, models, target)) {
    return Count(services, target.model.get(), RequestIdOf(head), *refusal);
  }
  const std::uint64_t byte_size_max = services.InputByteSizeMax();
  if (head.content_length.value_or(0) > byte_size_max) {
    return Count(services, target.model.get(), RequestIdOf(head),
                 {{.code = 413,
                   .type = "RequestEntityTooLargeException",
                   .message = fmt::format(
                       "The request has {} bytes, the limit is {} (--http-max-input-size)",
                       *head.content_length, byte_size_max)},
                  RefusalReason::kTooLarge});
  }
  return std::nullopt;
}

}  // namespace headrace::frontend

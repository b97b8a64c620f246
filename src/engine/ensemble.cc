#include "engine/ensemble.h"

#include <optional>
#include <utility>

#include "engine/ensemble_run.h"

namespace headrace::engine {
namespace {

// Loads refuse deeper ones; models may have been reloaded into a circle since.
constexpr std::size_t kPinDepthMax = 64;

std::optional<std::int64_t> WantedVersion(const EnsemblePlan::Step& step) {
  return step.version < 0 ? std::nullopt : std::optional(step.version);
}

}  // namespace

EnsemblePins::~EnsemblePins() {
  for (Part& part : parts_) {
    part.inner.reset();
    part.model->Unpin();
  }
}

Result<std::shared_ptr<const EnsemblePins>> Ensemble::Pin(std::size_t depth) const {
  if (depth > kPinDepthMax) {
    return Internal("ensemble '{}' is nested more than {} levels deep", plan_.name, kPinDepthMax);
  }
  auto pins = std::make_shared<EnsemblePins>();
  pins->parts_.reserve(plan_.steps.size());
  auto models = registry_.Load();
  for (const EnsemblePlan::Step& step : plan_.steps) {
    auto model = models->Lookup(step.model, WantedVersion(step));
    if (model.ok() && !(*model)->Pin()) {
      // Withdrawn since the picture was taken.
      models = registry_.Load();
      model = models->Lookup(step.model, WantedVersion(step));
      if (model.ok() && !(*model)->Pin()) {
        model = Unavailable("Request for unknown model: '{}' is not at ready state", step.model);
      }
    }
    HEADRACE_RETURN_IF_ERROR(model.status());
    pins->parts_.push_back({.model = *std::move(model), .inner = nullptr});
    EnsemblePins::Part& part = pins->parts_.back();
    if (const auto& inner = part.model->options().ensemble; inner != nullptr) {
      HEADRACE_ASSIGN_OR_RETURN(part.inner, inner->Pin(depth + 1));
    }
  }
  return std::shared_ptr<const EnsemblePins>(std::move(pins));
}

Status Ensemble::Health(std::size_t depth) const {
  const auto not_ready = [this](const Status& status) {
    return Unavailable("ensemble '{}' cannot serve: {}", plan_.name, status.message());
  };
  if (depth > kPinDepthMax) {
    return not_ready(Internal("it is nested more than {} levels deep", kPinDepthMax));
  }
  const auto models = registry_.Load();
  for (const EnsemblePlan::Step& step : plan_.steps) {
    const auto model = models->Lookup(step.model, WantedVersion(step));
    if (!model.ok()) {
      return not_ready(model.status());
    }
    const auto& inner = (*model)->options().ensemble;
    if (const Status health = inner != nullptr ? inner->Health(depth + 1) : (*model)->Health();
        !health.ok()) {
      return not_ready(health);
    }
  }
  return OkStatus();
}

void Ensemble::Start(std::unique_ptr<InferRequest> request,
                     std::shared_ptr<const EnsemblePins> pins) const {
  if (pins == nullptr) {
    auto pinned = Pin();
    if (!pinned.ok()) {
      request->Finish(pinned.status().WithPrefix(fmt::format("in ensemble '{}', ", plan_.name)));
      return;
    }
    pins = *std::move(pinned);
  }
  EnsembleRun::Start(plan_, pool_, std::move(request), std::move(pins));
}

}  // namespace headrace::engine

#include "tune/torchserve_models.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/json_value.h"
#include "tune/archive_yaml.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;
using load::TorchServeRegistration;

std::string ConfigOf(const TorchServeRegistration& registration) {
  JsonValue config = JsonValue::Object();
  config["name"] = registration.name;
  config["backend"] = kRegisteredBackend;
  config["max_batch_size"] = registration.batch_size;
  config["dynamic_batching"]["max_queue_delay_microseconds"] = registration.batch_delay_ms * 1000;
  JsonValue group = JsonValue::Object();
  group["count"] = registration.workers;
  config["instance_group"].Append(std::move(group));
  return config.Text();
}

}  // namespace

Result<TorchServeModels::Registered> TorchServeModels::Ask(const std::string& model) {
  HEADRACE_ASSIGN_OR_RETURN(const auto versions, management_->Describe(model, "all"));
  if (versions.size() != 1) {
    return FailedPrecondition(
        "{} versions of it are registered: unregister all but the one that is to be tuned, since "
        "it "
        "is registered anew for each batch size that is tried",
        versions.size());
  }
  const load::TorchServeModel& version = versions.front();
  Registered registered;
  registered.registration = {.url = version.url,
                             .name = model,
                             .batch_size = std::max(1, version.batch_size),
                             .batch_delay_ms = version.batch_delay_ms,
                             .workers = version.workers_min,
                             .response_timeout_s = version.response_timeout_s};
  registered.workers_max = std::max(version.workers_min, version.workers_max);
  registered.config_json = ConfigOf(registered.registration);
  return registered;
}

Result<load::ModelFacts> TorchServeModels::Model(const std::string& model,
                                                 const std::string& version) {
  HEADRACE_ASSIGN_OR_RETURN(load::ModelFacts facts, server_->Model(model, version));
  HEADRACE_ASSIGN_OR_RETURN(const Registered registered, Ask(model));
  found_.try_emplace(model, registered);
  facts.batch_size_max = registered.registration.batch_size;
  facts.config_json = registered.config_json;
  return facts;
}

Status TorchServeModels::Load(const std::string& model, const std::string& config_json) {
  const auto found = found_.find(model);
  if (found == found_.end()) {
    return FailedPrecondition("model '{}' was not looked at", model);
  }
  Registered wanted = found->second;
  if (!config_json.empty() && config_json != wanted.config_json) {
    HEADRACE_ASSIGN_OR_RETURN(const JsonValue config, JsonValue::Parse(config_json));
    TorchServeRegistration& registration = wanted.registration;
    registration.batch_size = static_cast<int>(config.At("max_batch_size").AsInt(1));
    if (const JsonValue* batching = config.Find("dynamic_batching")) {
      const std::int64_t delay_us = batching->At("max_queue_delay_microseconds").AsInt();
      registration.batch_delay_ms = DelayMs(delay_us * kMicrosecond);
    }
    const auto& groups = config.At("instance_group").elements();
    registration.workers =
        groups.empty() ? 1 : static_cast<int>(groups.front().At("count").AsInt(1));
    wanted.workers_max = registration.workers;
  }
  return Change(model, wanted);
}

Status TorchServeModels::Change(const std::string& model, const Registered& wanted) {
  const TorchServeRegistration& registration = wanted.registration;
  const auto same = [&](const Registered& other) {
    return other.registration.batch_size == registration.batch_size &&
           (registration.batch_size == 1 ||
            other.registration.batch_delay_ms == registration.batch_delay_ms);
  };
  auto now = Ask(model);
  if (!now.ok() && now.status().code() != StatusCode::kNotFound) {
    return now.status();
  }
  if (!now.ok() || !same(*now)) {
    if (now.ok()) {
      if (const Status gone = management_->Unregister(model, ""); !gone.ok()) {
        return Status(
            gone.code(),
            fmt::format("{} (TorchServe lets models be unregistered and registered, which "
                        "a new batch size needs, only with --enable-model-api)",
                        gone.message()));
      }
    }
    HEADRACE_RETURN_IF_ERROR(management_->Register(registration));
    now = Ask(model);
    if (!now.ok()) {
      return now.status();
    }
    if (!same(*now)) {
      return FailedPrecondition(
          "it was registered with batch size {} and a delay of {} ms, and has {} and {} ms: the "
          "model-config.yaml in {} wins there; take batchSize and maxBatchDelay out of it, or tune "
          "the archive itself (headrace tune FILE.mar)",
          registration.batch_size, registration.batch_delay_ms, now->registration.batch_size,
          now->registration.batch_delay_ms, registration.url);
    }
  }
  if (now->registration.workers != registration.workers || now->workers_max != wanted.workers_max) {
    return management_->Scale(model, "", registration.workers, wanted.workers_max, true);
  }
  return OkStatus();
}

}  // namespace headrace::tune

#include "repository/model_loader.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "repository/model_options.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {

struct ModelLoader::Operation {
  ModelPlan plan;
  std::function<void(Status)> done;
  ModelChange change;
  std::vector<Result<engine::ModelHandle>> models;  // one for each of change.load
  std::atomic<std::size_t> remaining{0};            // versions that are still loading
  DirectorySummary directory;                       // after they have been read
};

std::vector<std::int64_t> ModelLoader::ServingVersions(const std::string& name) const {
  std::vector<std::int64_t> versions = board_.ReadyVersions(name);
  std::erase_if(versions, [&](std::int64_t version) {
    const engine::ModelHandle model = board_.Find(name, version);
    return model != nullptr && !model->CanServe();
  });
  return versions;
}

void ModelLoader::Load(ModelPlan plan, std::function<void(Status)> done) const {
  const auto operation = std::make_shared<Operation>();
  operation->plan = std::move(plan);
  operation->done = std::move(done);
  const std::string name = operation->plan.key();
  const auto served = records_.Served(name);
  operation->change = CompareWithServed(operation->plan, served.get(), ServingVersions(name));
  operation->directory = operation->plan.directory;
  const auto& versions = operation->change.load;
  if (versions.empty()) {
    Conclude(*operation);
    return;
  }
  operation->models.assign(versions.size(), Result<engine::ModelHandle>(Internal("not loaded")));
  operation->remaining = versions.size();
  for (const std::int64_t version : versions) {
    board_.MarkLoading(name, version);
  }
  for (std::size_t i = 1; i < versions.size(); ++i) {
    pool_.Post([this, operation, i] { LoadVersion(operation, i); });
  }
  LoadVersion(operation, 0);
}

void ModelLoader::LoadVersion(const std::shared_ptr<Operation>& operation,
                              std::size_t index) const {
  const std::int64_t version = operation->change.load[index];
  HEADRACE_LOG_INFO("loading: {}:{}", operation->plan.key(), version);
  auto& model = operation->models[index];
  for (std::size_t attempt = 0; attempt <= options_.retry_count && !model.ok(); ++attempt) {
    // A model must not end the thread that loads it.
    try {
      model = versions_.Load(operation->plan, version);
    } catch (const std::exception& error) {
      model = Internal("{}", error.what());
    }
  }
  if (operation->remaining.fetch_sub(1) == 1) {
    Conclude(*operation);
  }
}

void ModelLoader::Conclude(Operation& operation) const {
  if (!operation.models.empty()) {
    CheckFiles(operation);
  }
  Status status;
  if (std::all_of(operation.models.begin(), operation.models.end(),
                  [](const auto& model) { return model.ok(); })) {
    status = ChangeInPlace(operation);
    if (status.ok()) {
      Publish(operation);
      if (operation.plan.source.agents != nullptr) {
        operation.plan.source.agents->LoadComplete();
      }
    }
  } else {
    status = Reject(operation);
  }
  // Models that are not used end here, before anybody hears of the result, and so do files that
  // came with the request, and agents whose load has failed.
  operation.models.clear();
  operation.plan.source.files.reset();
  operation.plan.source.agents.reset();
  operation.done(std::move(status));
}

// A version that was read while somebody wrote it may be half the old one and half the new one.
void ModelLoader::CheckFiles(Operation& operation) const {
  const ModelLocation& location = operation.plan.watched;
  auto now = InspectDirectory(location.repository, location.directory, options_.links_may_leave);
  for (std::size_t i = 0; i < operation.models.size(); ++i) {
    auto& model = operation.models[i];
    if (!model.ok()) {
      continue;
    }
    if (!now.ok()) {
      model = now.status();
    } else if (const auto file = ChangedFile(operation.plan, operation.change.load[i], *now)) {
      model = Unavailable("file '{}' changed while the model was loaded; load it again", *file);
    }
  }
  if (now.ok()) {
    operation.directory = *std::move(now);
  }
}

Status ModelLoader::ChangeInPlace(const Operation& operation) const {
  const ModelChange& change = operation.change;
  if (!change.settings) {
    return OkStatus();
  }
  const std::string name = operation.plan.key();
  for (const std::int64_t version : change.keep) {
    const engine::ModelHandle model = board_.Find(name, version);
    if (model == nullptr) {
      continue;
    }
    Status status;
    if (change.instances) {
      status = model->SetPlacements(BuildPlacements(*operation.plan.config));
    }
    auto config_json = ReplaceInPlaceSettings(model->config_json(), *operation.plan.config);
    status = status.ok() ? config_json.status() : status;
    if (!status.ok()) {
      HEADRACE_LOG_ERROR("failed to change '{}' version {}: {}", name, version,
                         IndexReason(status));
      return InvalidArgument("load failed for model '{}': version {} keeps its instances: {};\n",
                             name, version, IndexReason(status));
    }
    model->SetConfigJson(*std::move(config_json));
    HEADRACE_LOG_INFO("successfully changed '{}' version {} to {} instances", name, version,
                      model->instance_count());
  }
  return OkStatus();
}

void ModelLoader::Publish(Operation& operation) const {
  const ModelPlan& plan = operation.plan;
  for (std::size_t i = 0; i < operation.models.size(); ++i) {
    board_.Publish(plan.key(), operation.change.load[i], *std::move(operation.models[i]));
  }
  for (const std::int64_t version : board_.KnownVersions(plan.key())) {
    if (!std::binary_search(plan.versions.begin(), plan.versions.end(), version)) {
      board_.Withdraw(plan.key(), version);
    }
  }
  ServedModel served{plan.source, plan.config, {}};
  if (operation.change.load.empty() && plan.watched.directory != plan.source.location.directory) {
    served.source.files.reset();  // what was unpacked for this plan serves nothing
  }
  for (const std::int64_t version : plan.versions) {
    // Of a kept version by the plan: what has changed since is for the next load.
    const bool loaded =
        std::binary_search(operation.change.load.begin(), operation.change.load.end(), version);
    served.fingerprints[version] =
        plan.VersionFingerprint(version, loaded ? operation.directory : plan.directory);
  }
  records_.SetServed(plan.key(), std::move(served));
  if (!operation.change.load.empty()) {
    HEADRACE_LOG_INFO("successfully loaded '{}'", plan.key());
  }
}

Status ModelLoader::Reject(Operation& operation) const {
  const std::string name = operation.plan.key();
  std::string text = fmt::format("load failed for model '{}': ", name);
  for (std::size_t i = 0; i < operation.models.size(); ++i) {
    const std::int64_t version = operation.change.load[i];
    if (operation.models[i].ok()) {
      // It could serve, but a model is loaded as a whole or not at all.
      board_.MarkFailed(name, version, std::string(engine::kUnloadedReason));
      continue;
    }
    const std::string reason = IndexReason(operation.models[i].status());
    HEADRACE_LOG_ERROR("failed to load '{}' version {}: {}", name, version, reason);
    board_.MarkFailed(name, version, reason);
    text += fmt::format("version {} is at UNAVAILABLE state: {};\n", version, reason);
  }
  return InvalidArgument("{}", text);
}

std::string IndexReason(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return "Invalid argument: " + status.message();
    case StatusCode::kInternal:
      return "Internal: " + status.message();
    case StatusCode::kUnimplemented:
      return "Unsupported: " + status.message();
    case StatusCode::kNotFound:
      return "Not found: " + status.message();
    case StatusCode::kUnavailable:
      return "Unavailable: " + status.message();
    case StatusCode::kAlreadyExists:
      return "Already exists: " + status.message();
    default:
      return status.ToString();
  }
}

}  // namespace headrace::repository

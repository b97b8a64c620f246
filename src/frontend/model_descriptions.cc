#include "frontend/model_descriptions.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/model_key.h"
#include "frontend/call.h"
#include "repository/names.h"

namespace headrace::frontend {
namespace {

// What this server does.
constexpr std::string_view kExtensions[] = {"classification",
                                            "model_repository",
                                            "model_repository(unload_dependents)",
                                            "model_configuration",
                                            "system_shared_memory",
                                            "binary_tensor_data",
                                            "parameters",
                                            "statistics",
                                            "trace",
                                            "logging"};

constexpr char kNoRepositories[] = "'repository_name' specification is not supported";

void AddReadyVersions(const engine::ModelEntry& entry, std::vector<engine::ModelHandle>& models) {
  for (const auto& [version, state] : entry.versions) {
    if (state.model != nullptr) {
      models.push_back(state.model);
    }
  }
}

std::vector<engine::ModelHandle> AllModels(const engine::RegistrySnapshot& snapshot) {
  std::vector<engine::ModelHandle> models;
  for (const auto& [name, entry] : snapshot.models()) {
    AddReadyVersions(*entry, models);
  }
  std::sort(models.begin(), models.end(),
            [](const engine::ModelHandle& a, const engine::ModelHandle& b) {
              return std::tie(a->name(), a->name_space(), a->options().version) <
                     std::tie(b->name(), b->name_space(), b->options().version);
            });
  return models;
}

}  // namespace

std::span<const std::string_view> ServerExtensions() { return kExtensions; }

Result<ModelDescription> DescribeModel(std::string_view name, std::string_view version,
                                       const engine::RegistrySnapshot& snapshot) {
  ModelDescription description;
  HEADRACE_ASSIGN_OR_RETURN(description.model, FindModel(name, version, snapshot));
  if (!version.empty()) {
    description.versions = {description.model->version()};
    return description;
  }
  HEADRACE_ASSIGN_OR_RETURN(const engine::ModelEntry* const known, snapshot.Resolve(name));
  for (const auto& [number, entry] : known->versions) {
    if (entry.state == engine::ModelState::kReady) {
      description.versions.push_back(number);
    }
  }
  return description;
}

Result<std::vector<engine::ModelHandle>> ModelsWithStatistics(
    std::string_view name, std::string_view version, const engine::RegistrySnapshot& snapshot) {
  if (name.empty()) {
    return AllModels(snapshot);
  }
  std::vector<engine::ModelHandle> models;
  const Result<const engine::ModelEntry*> entry = snapshot.Resolve(name);
  if (entry.ok()) {
    AddReadyVersions(**entry, models);
  } else if (entry.status().code() != StatusCode::kNotFound) {
    return entry.status();
  }
  if (models.empty()) {
    return InvalidArgument("requested model '{}' is not available", name);
  }
  if (!version.empty()) {
    Result<engine::ModelHandle> one = FindModel(name, version, snapshot);
    if (!one.ok()) {
      return InvalidArgument("requested model version is not available for model '{}'", name);
    }
    models.assign(1, *std::move(one));
  }
  return models;
}

Result<std::string> RepositoryTarget(std::string_view repository, std::string_view model,
                                     bool namespaces) {
  if (!repository.empty() && !namespaces) {
    return Unimplemented("{}", kNoRepositories);
  }
  if (!namespaces || !engine::HasNamespace(model)) {
    HEADRACE_RETURN_IF_ERROR(repository::CheckModelName(model));
  } else if (!repository.empty()) {
    return InvalidArgument(
        "the model repository is named twice, by itself and in the model's name");
  }
  return engine::MakeModelKey(repository, model);
}

Result<std::vector<repository::IndexEntry>> RepositoryIndexOf(
    const repository::ModelManager& models, std::string_view repository, bool ready_only) {
  if (repository.empty()) {
    return models.Index(ready_only);
  }
  if (!models.options().namespaces) {
    return Unimplemented("{}", kNoRepositories);
  }
  return models.IndexOf(repository, ready_only);
}

}  // namespace headrace::frontend

#include "repository/namespaces.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "engine/model_key.h"
#include "repository/names.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShownMax = 256;

// Whether the repository has a directory for the model.
bool HasModel(const RepositoryList& list, const std::string& repository, const std::string& name) {
  const auto mapped = list.mapped.find(name);
  const bool is_mapped = mapped != list.mapped.end();
  if (is_mapped ? mapped->second.repository != repository
                : list.NamesOf(repository, name).front() != name) {
    return false;
  }
  std::error_code error;
  const fs::path directory = fs::path(repository) / (is_mapped ? mapped->second.directory : name);
  const fs::file_type type = fs::symlink_status(directory, error).type();
  return type == fs::file_type::directory || type == fs::file_type::symlink;
}

}  // namespace

Result<std::string> Namespaces::Find(std::string_view named) const {
  const auto list = repositories_.Load();
  std::set<std::string> fitting;
  for (std::size_t i = 0; i < list->paths.size(); ++i) {
    const std::string& path = list->paths[i];
    if (path == named || (i < list->given.size() && list->given[i] == named)) {
      return path;
    }
    if (engine::ShortNamespace(path) == named) {
      fitting.insert(path);
    }
  }
  if (fitting.size() == 1) {
    return *fitting.begin();
  }
  const std::string shown = EscapeForLog(named, kShownMax);
  if (!fitting.empty()) {
    return InvalidArgument("there is more than one model repository '{}'; name it by its path",
                           shown);
  }
  return InvalidArgument(
      "there is no model repository '{}'; name one by its path, or by the path's last part", shown);
}

std::vector<std::string> Namespaces::KeysOf(const std::string& name) const {
  std::vector<std::string> keys;
  const auto list = repositories_.Load();
  for (const std::string& repository : list->paths) {
    std::string key = engine::MakeModelKey(repository, name);
    if (HasModel(*list, repository, name) || !board_.KnownVersions(key).empty()) {
      keys.push_back(std::move(key));
    }
  }
  return keys;
}

Result<std::vector<std::string>> Namespaces::Targets(const std::string& named) const {
  const std::string name(engine::NameOfKey(named));
  HEADRACE_RETURN_IF_ERROR(CheckModelName(name));
  if (engine::HasNamespace(named)) {
    HEADRACE_ASSIGN_OR_RETURN(const std::string repository, Find(engine::NamespaceOfKey(named)));
    return std::vector<std::string>{engine::MakeModelKey(repository, name)};
  }
  std::vector<std::string> keys = KeysOf(name);
  if (const auto list = repositories_.Load(); keys.empty() && !list->paths.empty()) {
    keys.push_back(engine::MakeModelKey(list->paths.front(), name));
  }
  return keys;
}

std::string Namespaces::KeyOfPart(std::string_view own, const std::string& name) const {
  if (!CheckModelName(name).ok()) {
    return name;  // no path is made of it
  }
  const std::vector<std::string> keys = KeysOf(name);
  std::string own_key = engine::MakeModelKey(own, name);
  if (std::find(keys.begin(), keys.end(), own_key) != keys.end()) {
    return own_key;
  }
  return keys.size() == 1 ? keys.front() : name;
}

Status Namespaces::ResolveSteps(std::string_view own, inference::ModelConfig& config) const {
  if (!config.has_ensemble_scheduling()) {
    return OkStatus();
  }
  for (auto& step : *config.mutable_ensemble_scheduling()->mutable_step()) {
    if (!step.model_namespace().empty()) {
      auto found = Find(step.model_namespace());
      if (!found.ok()) {
        return found.status().WithPrefix(
            fmt::format("in ensemble '{}', field 'model_namespace' of the step with model '{}': ",
                        config.name(), step.model_name()));
      }
      step.set_model_namespace(*std::move(found));
      continue;
    }
    const std::string key = KeyOfPart(own, step.model_name());
    step.set_model_namespace(std::string(engine::NamespaceOfKey(key)));
  }
  return OkStatus();
}

}  // namespace headrace::repository

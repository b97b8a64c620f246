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

bool HasDirectory(const std::string& repository, const std::string& name) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(fs::path(repository) / name, error).type();
  return type == fs::file_type::directory || type == fs::file_type::symlink;
}

}  // namespace

Result<std::string> Namespaces::Find(std::string_view named) const {
  std::set<std::string> fitting;
  for (std::size_t i = 0; i < repositories_.size(); ++i) {
    if (repositories_[i] == named || (i < paths_.size() && paths_[i] == named)) {
      return repositories_[i];
    }
    if (engine::ShortNamespace(repositories_[i]) == named) {
      fitting.insert(repositories_[i]);
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
  for (const std::string& repository : repositories_) {
    std::string key = engine::MakeModelKey(repository, name);
    if (HasDirectory(repository, name) || !board_.KnownVersions(key).empty()) {
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
  if (keys.empty() && !repositories_.empty()) {
    keys.push_back(engine::MakeModelKey(repositories_.front(), name));
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

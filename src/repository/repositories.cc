#include "repository/repositories.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/log.h"
#include "repository/layout.h"
#include "repository/names.h"

namespace headrace::repository {
namespace {

// The mappings by model; the words are Triton's.
Status AddMappings(const std::string& path, const std::string& repository,
                   const std::vector<NameMapping>& mapping, RepositoryList& list) {
  std::map<std::string, RepositoryList::Mapped> added;
  for (const NameMapping& one : mapping) {
    for (const std::string& name : {one.directory, one.model}) {
      if (Status status = CheckModelName(name); !status.ok()) {
        return status.WithPrefix(
            fmt::format("failed to register '{}', mapping of '{}' to '{}': ", EscapeForLog(path),
                        EscapeForLog(one.directory), EscapeForLog(one.model)));
      }
    }
    if (!added.try_emplace(one.model, RepositoryList::Mapped{repository, one.directory}).second) {
      return InvalidArgument("failed to register '{}', there is a conflicting mapping for '{}'",
                             EscapeForLog(path), one.model);
    }
  }
  for (const auto& [model, location] : added) {
    if (list.mapped.count(model) > 0) {
      return AlreadyExists("failed to register '{0}', there is a conflicting mapping for '{0}'",
                           model);
    }
  }
  list.mapped.merge(std::move(added));
  return OkStatus();
}

}  // namespace

std::vector<std::string> RepositoryList::NamesOf(std::string_view repository,
                                                 std::string_view directory) const {
  std::vector<std::string> names;
  for (const auto& [model, location] : mapped) {
    if (location.repository == repository && location.directory == directory) {
      names.push_back(model);
    }
  }
  // A name that is mapped means the mapping.
  if (names.empty() && mapped.count(std::string(directory)) == 0) {
    names.emplace_back(directory);
  }
  return names;
}

std::shared_ptr<const RepositoryList> Repositories::Load() const {
  std::lock_guard lock(mutex_);
  return list_;
}

void Repositories::Publish(RepositoryList list) {
  auto published = std::make_shared<const RepositoryList>(std::move(list));
  std::lock_guard lock(mutex_);
  list_ = std::move(published);
}

Status Repositories::Open(const std::vector<std::string>& paths) {
  std::lock_guard changes(changes_);
  HEADRACE_ASSIGN_OR_RETURN(RepositoryList list, OpenRepositories(paths));
  list.given = paths;
  Publish(std::move(list));
  return OkStatus();
}

Status Repositories::Register(const std::string& path, const std::vector<NameMapping>& mapping) {
  std::lock_guard changes(changes_);
  RepositoryList list = *Load();
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return InvalidArgument("failed to register '{}', repository not found", EscapeForLog(path));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::vector<std::string> opened, OpenRepositories({path}));
  if (std::find(list.paths.begin(), list.paths.end(), opened[0]) != list.paths.end()) {
    return AlreadyExists("model repository '{}' has already been registered", EscapeForLog(path));
  }
  HEADRACE_RETURN_IF_ERROR(AddMappings(path, opened[0], mapping, list));
  list.given.resize(list.paths.size());
  list.given.push_back(path);
  list.paths.push_back(opened[0]);
  Publish(std::move(list));
  HEADRACE_LOG_INFO("model repository registered: {}", EscapeForLog(path));
  return OkStatus();
}

Status Repositories::Unregister(const std::string& path) {
  std::lock_guard changes(changes_);
  RepositoryList list = *Load();
  list.given.resize(list.paths.size());
  std::error_code error;
  const std::string canonical = std::filesystem::canonical(path, error).string();
  std::size_t i = 0;
  while (i < list.paths.size() && list.given[i] != path && (error || list.paths[i] != canonical)) {
    ++i;
  }
  if (i == list.paths.size()) {
    return InvalidArgument("failed to unregister '{}', repository not found", EscapeForLog(path));
  }
  std::erase_if(list.mapped,
                [&](const auto& entry) { return entry.second.repository == list.paths[i]; });
  list.paths.erase(list.paths.begin() + static_cast<std::ptrdiff_t>(i));
  list.given.erase(list.given.begin() + static_cast<std::ptrdiff_t>(i));
  Publish(std::move(list));
  HEADRACE_LOG_INFO("model repository unregistered: {}", EscapeForLog(path));
  return OkStatus();
}

}  // namespace headrace::repository

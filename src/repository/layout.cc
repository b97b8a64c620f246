#include "repository/layout.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/log.h"
#include "repository/names.h"
#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kRemoteSchemes = {"s3://", "gs://", "as://", "http://",
                                                            "https://"};
constexpr std::string_view kDuplicate = "model appears in two or more repositories";

Result<std::string> OpenRepository(const std::string& path) {
  for (const std::string_view scheme : kRemoteSchemes) {
    if (path.compare(0, scheme.size(), scheme) == 0) {
      return Unimplemented(
          "model repository '{}': {} locations are not supported, only local directories",
          EscapeForLog(path), scheme);
    }
  }
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  if (error) {
    return InvalidArgument("model repository '{}': {}", EscapeForLog(path), error.message());
  }
  if (!fs::is_directory(canonical, error)) {
    return InvalidArgument("model repository '{}' is not a directory", EscapeForLog(path));
  }
  return canonical.string();
}

// OK if `directory` is the model's own or a link that stays in the repository.
Status CheckModelDirectory(const std::string& repository, const fs::path& directory,
                           const LayoutOptions& options) {
  std::error_code error;
  const fs::path target = fs::canonical(directory, error);
  if (error) {
    return InvalidArgument("the model's directory cannot be followed: {}", error.message());
  }
  if (!options.links_may_leave && !IsInside(repository, target.string())) {
    return InvalidArgument(
        "the model's directory is a link that leads outside of the model repository");
  }
  return OkStatus();
}

void AddFound(RepositoryScan& scan, const std::string& repository, const fs::path& path,
              const std::string& name, const LayoutOptions& options) {
  ModelLocation location{name, path.string(), repository, options.namespaces ? repository : "",
                         name != path.filename().string()};
  const std::string key = location.key();
  Status status = CheckModelName(name);
  if (status.ok()) {
    status = CheckModelDirectory(repository, path, options);
  }
  if (scan.models.erase(key) > 0 || scan.problems.count(key) > 0) {
    status = InvalidArgument("{}", kDuplicate);
  }
  if (!status.ok()) {
    scan.problems[key] = status.message();
    return;
  }
  scan.models[key] = std::move(location);
}

bool LooksLikeVersion(std::string_view name) {
  const std::size_t sign = !name.empty() && (name.front() == '-' || name.front() == '+') ? 1 : 0;
  return name.size() > sign && name[sign] >= '0' && name[sign] <= '9';
}

}  // namespace

Result<std::vector<std::string>> OpenRepositories(const std::vector<std::string>& paths) {
  std::vector<std::string> repositories;
  for (const std::string& path : paths) {
    HEADRACE_ASSIGN_OR_RETURN(std::string repository, OpenRepository(path));
    if (std::find(repositories.begin(), repositories.end(), repository) != repositories.end()) {
      return InvalidArgument("model repository '{}' is given twice", EscapeForLog(path));
    }
    repositories.push_back(std::move(repository));
  }
  return repositories;
}

RepositoryScan ScanRepositories(const RepositoryList& repositories, const LayoutOptions& options) {
  RepositoryScan scan;
  for (const std::string& repository : repositories.paths) {
    std::error_code error;
    for (fs::directory_iterator it(repository, error), end; !error && it != end;
         it.increment(error)) {
      std::error_code ignored;
      const std::string name = it->path().filename().string();
      const bool link_to_nowhere = it->is_symlink(ignored) && !fs::exists(it->path(), ignored);
      if (name.front() != '.' && (it->is_directory(ignored) || link_to_nowhere)) {
        for (const std::string& known_as : repositories.NamesOf(repository, name)) {
          AddFound(scan, repository, it->path(), known_as, options);
        }
      }
    }
    if (error) {
      scan.unreadable[repository] = error.message();
    }
  }
  return scan;
}

Result<ModelLocation> FindModel(const RepositoryList& repositories, const std::string& key,
                                const LayoutOptions& options) {
  const std::string name(options.namespaces ? engine::NameOfKey(key) : key);
  HEADRACE_RETURN_IF_ERROR(CheckModelName(name));
  const auto mapped = repositories.mapped.find(name);
  const bool is_mapped = mapped != repositories.mapped.end();
  const std::string& directory_name = is_mapped ? mapped->second.directory : name;
  std::vector<ModelLocation> found;
  for (const std::string& repository : repositories.paths) {
    if ((options.namespaces && repository != engine::NamespaceOfKey(key)) ||
        (is_mapped ? repository != mapped->second.repository
                   : repositories.NamesOf(repository, name).front() != name)) {
      continue;
    }
    std::error_code error;
    const fs::path directory = fs::path(repository) / directory_name;
    const fs::file_type type = fs::symlink_status(directory, error).type();
    if (type == fs::file_type::none) {
      return Unavailable("cannot look for the model in repository '{}': {}",
                         EscapeForLog(repository), error.message());
    }
    if (type == fs::file_type::directory || type == fs::file_type::symlink) {
      found.push_back(ModelLocation{name, directory.string(), repository,
                                    options.namespaces ? repository : "", name != directory_name});
    }
  }
  if (found.empty()) {
    return NotFound("model not found in any model repository");
  }
  if (found.size() > 1) {
    return InvalidArgument("{}", kDuplicate);
  }
  HEADRACE_RETURN_IF_ERROR(CheckModelDirectory(found[0].repository, found[0].directory, options));
  return std::move(found[0]);
}

Result<VersionList> ListVersions(const std::string& model_directory) {
  VersionList list;
  std::error_code error;
  for (fs::directory_iterator it(model_directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    const auto version = ParseVersionName(name);
    std::error_code ignored;
    if (version && it->is_directory(ignored)) {
      list.versions.push_back(*version);
    } else if (version || LooksLikeVersion(name)) {
      list.ignored.push_back(name);
    }
  }
  if (error) {
    return InvalidArgument("cannot list the model's directory: {}", error.message());
  }
  std::sort(list.versions.begin(), list.versions.end());
  std::sort(list.ignored.begin(), list.ignored.end());
  return list;
}

std::vector<std::string> ListEntries(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace headrace::repository

// Finds models and their versions in Triton's repository layout (contracts, Triton 5.1).
// Thread-safe; blocks on the file system.
#ifndef HEADRACE_REPOSITORY_LAYOUT_H_
#define HEADRACE_REPOSITORY_LAYOUT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/model_key.h"
#include "repository/repositories.h"

namespace headrace::repository {

struct ModelLocation {
  std::string name;
  std::string directory;     // <repository>/<name>
  std::string repository;    // canonical path
  std::string name_space{};  // empty: models have none
  bool mapped = false;       // the name is not the directory's, and what the configuration says
                             // of it does not count

  std::string key() const { return engine::MakeModelKey(name_space, name); }
};

struct RepositoryScan {
  // By key (engine/model_key.h), which is the name unless repositories are namespaces.
  std::map<std::string, ModelLocation> models;
  std::map<std::string, std::string> problems;    // why this directory is not served
  std::map<std::string, std::string> unreadable;  // repositories that cannot be listed: why
};

struct LayoutOptions {
  bool links_may_leave = false;  // links that lead outside of their repository are followed
  bool namespaces = false;       // a repository is a namespace of models
};

// Canonical paths of the directories. INVALID_ARGUMENT if a path is missing, not a directory, or
// given twice; UNIMPLEMENTED for cloud locations (s3://, gs://, as://, http://, https://), which
// are named in the text.
Result<std::vector<std::string>> OpenRepositories(const std::vector<std::string>& paths);

// All directories of the repositories, except hidden ones, under the names that they are mapped to.
// Problems: names that CheckModelName refuses, a name that lies in two repositories that are no
// namespaces ("model appears in two or more repositories"), a link out of the repository.
RepositoryScan ScanRepositories(const RepositoryList& repositories, const LayoutOptions& options);

// The same for the model of one key, without listing the rest. NOT_FOUND if no repository has it;
// UNAVAILABLE if that cannot be told; otherwise the failure is the problem.
Result<ModelLocation> FindModel(const RepositoryList& repositories, const std::string& key,
                                const LayoutOptions& options);

struct VersionList {
  std::vector<std::int64_t> versions;  // ascending
  std::vector<std::string> ignored;    // names made of digits and signs that are no version, and
                                       // files named like one: worth a warning
};

// The version directories of a model. INVALID_ARGUMENT if the directory cannot be listed.
Result<VersionList> ListVersions(const std::string& model_directory);

// Names of the files and directories in `directory`, sorted; empty if there is none.
std::vector<std::string> ListEntries(const std::string& directory);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_LAYOUT_H_

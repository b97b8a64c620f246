// The model repositories that are looked into, and the models in them that go by other names than
// their directories' (contracts, Triton 5.6 and 8.5).
#ifndef HEADRACE_REPOSITORY_REPOSITORIES_H_
#define HEADRACE_REPOSITORY_REPOSITORIES_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace headrace::repository {

// One state of it; a value.
struct RepositoryList {
  struct Mapped {
    std::string repository;  // canonical path
    std::string directory;   // of the model, in it
  };

  RepositoryList() = default;
  RepositoryList(std::vector<std::string> repositories)  // NOLINT(google-explicit-constructor)
      : paths(std::move(repositories)) {}

  std::vector<std::string> paths;        // canonical
  std::vector<std::string> given;        // the same as they were given; shorter: not known
  std::map<std::string, Mapped> mapped;  // by the model's name

  // The names of the model in this directory: its own, unless it is mapped.
  std::vector<std::string> NamesOf(std::string_view repository, std::string_view directory) const;
};

// A name of a model that is not its directory's.
struct NameMapping {
  std::string directory;  // in the repository
  std::string model;
};

// Thread-safe. Readers keep the list that they have taken.
class Repositories {
 public:
  Repositories() = default;
  explicit Repositories(RepositoryList list)
      : list_(std::make_shared<const RepositoryList>(std::move(list))) {}

  std::shared_ptr<const RepositoryList> Load() const;

  // What the server starts with; failures as those of OpenRepositories (layout.h). Blocks.
  Status Open(const std::vector<std::string>& paths);
  // Adds a repository; directories that `mapping` names are models of those names only.
  // INVALID_ARGUMENT if the path is no directory, if a mapping names no plain directory and model,
  // or the same model twice; ALREADY_EXISTS if the repository, or a mapped model's name, is there
  // already. Blocks on the file system.
  Status Register(const std::string& path, const std::vector<NameMapping>& mapping);
  // Takes a repository away, with its mappings; INVALID_ARGUMENT if it is not there. Named by any
  // path to it, or, where it has gone from the file system, as it was given.
  Status Unregister(const std::string& path);

 private:
  void Publish(RepositoryList list);

  std::mutex changes_;        // one change at a time
  mutable std::mutex mutex_;  // guards list_
  std::shared_ptr<const RepositoryList> list_ = std::make_shared<const RepositoryList>();
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_REPOSITORIES_H_

// The model repositories as namespaces of models (--model-namespacing; contracts, Triton 5.1).
#ifndef HEADRACE_REPOSITORY_NAMESPACES_H_
#define HEADRACE_REPOSITORY_NAMESPACES_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repository/layout.h"
#include "repository/model_config_fwd.h"
#include "repository/repositories.h"
#include "repository/version_board.h"

namespace headrace::repository {

// Thread-safe. Borrows what it is given. Blocks on the file system where it says so.
//
// A namespace is the canonical path of a repository; a model is known by its key
// "<namespace>::<name>" (engine/model_key.h). Where somebody names a namespace, the path as the
// command line has it and the last component of the path do as well, if only one repository fits.
class Namespaces {
 public:
  Namespaces(const Repositories& repositories, const VersionBoard& board)
      : repositories_(repositories), board_(board) {}

  // INVALID_ARGUMENT if no repository, or more than one, is named so.
  Result<std::string> Find(std::string_view named) const;

  // The keys of the models called `name`: of those that lie in a repository, or that were loaded.
  // Blocks.
  std::vector<std::string> KeysOf(const std::string& name) const;

  // What a request to load or unload means: "<namespace>::<name>" one model, a name alone all that
  // are called so; one of the first repository, if there is none. Blocks. INVALID_ARGUMENT for an
  // unknown namespace and for what is no model's name.
  Result<std::vector<std::string>> Targets(const std::string& named) const;

  // The key of the model that `name` means in an ensemble of the namespace `own`: the one there, or
  // the only one elsewhere. The name itself if there is none, or more than one. Blocks.
  std::string KeyOfPart(std::string_view own, const std::string& name) const;

  // Puts the namespace of its model into each step of an ensemble of `own`; steps whose model
  // cannot be told stay without one. INVALID_ARGUMENT if a step names a namespace that there is
  // not. Blocks.
  Status ResolveSteps(std::string_view own, inference::ModelConfig& config) const;

 private:
  const Repositories& repositories_;
  const VersionBoard& board_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_NAMESPACES_H_

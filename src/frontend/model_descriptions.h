// What the metadata, statistics and repository endpoints of all protocols show, before any of them
// writes it.
#ifndef HEADRACE_FRONTEND_MODEL_DESCRIPTIONS_H_
#define HEADRACE_FRONTEND_MODEL_DESCRIPTIONS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/registry.h"
#include "repository/model_manager.h"

namespace headrace::frontend {

// The extensions of the server metadata, in Triton's order.
std::span<const std::string_view> ServerExtensions();

struct ModelDescription {
  engine::ModelHandle model;           // whose signature is shown
  std::vector<std::int64_t> versions;  // the one asked for, or all that are READY, ascending
};
// `version` empty: the server chooses. Failures are FindModel's.
Result<ModelDescription> DescribeModel(std::string_view name, std::string_view version,
                                       const engine::RegistrySnapshot& snapshot);

// The versions whose statistics are asked for: all models' for an empty `name`, all of a model's
// for an empty `version`. INVALID_ARGUMENT when there is none, or several namespaces have one.
Result<std::vector<engine::ModelHandle>> ModelsWithStatistics(
    std::string_view name, std::string_view version, const engine::RegistrySnapshot& snapshot);

// What a repository request means, as ModelManager::LoadAsync takes it. A repository can be named
// where there are namespaces, otherwise it is UNIMPLEMENTED. INVALID_ARGUMENT for what is no
// model's name.
Result<std::string> RepositoryTarget(std::string_view repository, std::string_view model,
                                     bool namespaces);
// The index, of one repository if that is named; the same failures.
Result<std::vector<repository::IndexEntry>> RepositoryIndexOf(
    const repository::ModelManager& models, std::string_view repository, bool ready_only);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_MODEL_DESCRIPTIONS_H_

// Which of a model's versions are served. Pure.
#ifndef HEADRACE_REPOSITORY_VERSION_POLICY_H_
#define HEADRACE_REPOSITORY_VERSION_POLICY_H_

#include <cstdint>
#include <span>
#include <vector>

#include "repository/model_config_fwd.h"

namespace headrace::repository {

struct VersionSelection {
  std::vector<std::int64_t> wanted;   // ascending; all of them are available
  std::vector<std::int64_t> missing;  // named by the policy, but not available
};

// Contracts, Triton 5.1: the n highest numbers, all, or those named. `available` in any order,
// without repetition. A policy without a choice is latest 1.
VersionSelection SelectVersions(const inference::ModelVersionPolicy& policy,
                                std::span<const std::int64_t> available);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VERSION_POLICY_H_

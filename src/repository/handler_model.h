// Models that are TorchServe archives: finds them in version directories and unpacks them.
#ifndef HEADRACE_REPOSITORY_HANDLER_MODEL_H_
#define HEADRACE_REPOSITORY_HANDLER_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "repository/archive_limits.h"
#include "repository/handler_config.h"
#include "repository/layout.h"
#include "repository/model_plan.h"
#include "repository/override_store.h"

namespace headrace::repository {

// Whether the model is one: its configuration says backend "handler", or it says neither backend
// nor platform, and the newest version directory holds an archive (.mar, .tgz, .tar.gz) or is an
// unpacked one. Blocks on the file system.
bool IsHandlerModel(const ModelLocation& location, const VersionList& list,
                    const inference::ModelConfig& config);

// Each of `versions` with its settings. Where they are archives, they are unpacked into a directory
// of `store` that takes the place of `source.location` and goes with the last owner of
// `source.files`. INVALID_ARGUMENT for an archive that is refused, a version directory with several
// of them, and versions of which some are archives and some are not. Blocks on the file system.
Result<std::vector<HandlerVersion>> PrepareHandlerVersions(
    const std::vector<std::int64_t>& versions, const ArchiveLimits& limits, OverrideStore& store,
    ModelSource& source);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_HANDLER_MODEL_H_

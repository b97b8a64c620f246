// What a load request may bring with it as a model's files and configuration (D5 of the reliability
// defaults). Pure, thread-safe.
#ifndef HEADRACE_REPOSITORY_OVERRIDE_RULES_H_
#define HEADRACE_REPOSITORY_OVERRIDE_RULES_H_

#include <cstddef>
#include <map>
#include <string>

#include "base/status.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

inline constexpr std::size_t kOverridePathByteSizeMax = 1024;
inline constexpr std::size_t kOverridePathDepthMax = 16;
inline constexpr std::size_t kFileNameByteSizeMax = 255;

using OverrideFiles =
    std::map<std::string, std::string>;  // path in the model's directory -> content

// The paths of `file:` parameters, relative to the model's directory: INVALID_ARGUMENT if one is
// absolute, has an empty, "." or ".." part, control bytes, is too long or too deep for a file
// system, or is a directory of another. PERMISSION_DENIED, unless `allow_code`, if one names a
// shared object or Python code.
Status CheckOverrideFiles(const OverrideFiles& files, bool allow_code);

// A configuration that comes with files, where code is not allowed: PERMISSION_DENIED if it would
// have code of the model's own run (the Python backend, a runtime or operator libraries of its
// own).
Status CheckOverrideConfig(const inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_OVERRIDE_RULES_H_

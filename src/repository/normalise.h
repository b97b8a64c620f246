// Fills in what a configuration leaves out, in the order of contracts, Triton 3.4. Thread-safe; no
// file system.
#ifndef HEADRACE_REPOSITORY_NORMALISE_H_
#define HEADRACE_REPOSITORY_NORMALISE_H_

#include <string>
#include <vector>

#include "base/status.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// Step 2: platform, backend and default_model_filename from one another, else from the names in the
// first version's directory, else from a model name "<name>.<backend>". INVALID_ARGUMENT when
// nothing tells the backend. Ensembles have none.
Status CompleteBackend(const std::string& model_name,
                       const std::vector<std::string>& version_entries,
                       inference::ModelConfig& config);

// Steps 1 and 3: the name, version policy, preferred batch sizes, idle time, pinned memory.
// Idempotent; to be repeated after a backend completed the configuration. INVALID_ARGUMENT when the
// configuration's name is not the directory's.
Status FillDefaults(const std::string& model_name, inference::ModelConfig& config);

// Step 5: instance groups. `gpus` are those for groups whose kind is left open, or that name none.
void FillInstanceGroups(const std::string& model_name, const std::vector<int>& gpus,
                        inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_NORMALISE_H_

// From a final configuration to what the engine needs.
#ifndef HEADRACE_REPOSITORY_MODEL_OPTIONS_H_
#define HEADRACE_REPOSITORY_MODEL_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/model.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

inline constexpr std::size_t kLabelFileByteSizeMax = std::size_t{64} << 20;

// Requires: `config` is normalised and valid. `limits` are the server's, which hold beside the
// max_queue_size of the model's queue policies. Labels are left empty.
Result<engine::ModelOptions> BuildModelOptions(const inference::ModelConfig& config,
                                               std::int64_t version,
                                               const engine::QueueLimits& limits);

// Reads the label files that `config` names below `model_directory`, staying inside `root`, into
// the outputs of `signature`. A missing file is a failure. Blocks on the file system.
Status ReadLabels(const inference::ModelConfig& config, const std::string& root,
                  const std::string& model_directory, engine::ModelSignature& signature);

// The lines of a label file, without line ends; a last line without one counts.
std::vector<std::string> SplitLabels(const std::string& text);

// "<group>_<index>" for each instance of each group, in order.
std::vector<engine::InstancePlacement> BuildPlacements(const inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_OPTIONS_H_

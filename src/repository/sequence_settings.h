// From `sequence_batching` of a final configuration to what the engine needs.
#ifndef HEADRACE_REPOSITORY_SEQUENCE_SETTINGS_H_
#define HEADRACE_REPOSITORY_SEQUENCE_SETTINGS_H_

#include <optional>
#include <string>

#include "base/result.h"
#include "engine/sequence_options.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// Bytes of the initial value of one state.
inline constexpr std::size_t kInitialStateByteSizeMax = std::size_t{1} << 30;
// Sequences that one instance may have at a time.
inline constexpr int kCandidateSequencesMax = 1 << 20;

// Nothing when the model does not batch sequences. Requires: `config` is normalised and valid.
// Initial states are zeros; ReadInitialStates replaces those that come from files.
Result<std::optional<engine::SequenceOptions>> BuildSequenceOptions(
    const inference::ModelConfig& config);

// Reads the files that `config` names below `model_directory`/initial_state, staying inside `root`,
// into the states of `options`. INVALID_ARGUMENT if one has not the size of its state. Blocks on
// the file system.
Status ReadInitialStates(const inference::ModelConfig& config, const std::string& root,
                         const std::string& model_directory, engine::SequenceOptions& options);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_SEQUENCE_SETTINGS_H_

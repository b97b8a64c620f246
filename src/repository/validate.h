// Says whether a normalised configuration makes sense by itself (contracts, Triton 3.6). Pure. What
// Headrace cannot do is another question: field_verdicts.h.
#ifndef HEADRACE_REPOSITORY_VALIDATE_H_
#define HEADRACE_REPOSITORY_VALIDATE_H_

#include "base/status.h"
#include "repository/model_config_fwd.h"
#include "repository/usable_gpus.h"

namespace headrace::repository {

// Limits on what a configuration may ask for.
inline constexpr int kInstanceCountMax = 256;          // of a model, all groups together
inline constexpr long long kDimensionMax = 1LL << 40;  // one dimension (D14)
inline constexpr unsigned long long kDurationUsMax = 86'400'000'000;  // one day
inline constexpr unsigned long long kPriorityLevelsMax = 1024;
inline constexpr int kEnsembleStepCountMax = 1024;

// All failures are INVALID_ARGUMENT with the text of the contract.
// Everything except tensors and instance groups; before the backend completes the configuration.
Status ValidateGeneral(const inference::ModelConfig& config);
// Inputs, outputs and what refers to them; after the backend completed the configuration.
Status ValidateTensors(const inference::ModelConfig& config);
// Groups as FillInstanceGroups leaves them, on a machine with these GPUs.
Status ValidateInstanceGroups(const inference::ModelConfig& config, const UsableGpus& gpus);

// Parts of ValidateGeneral, each in a file of its own.
Status ValidateSequenceBatching(const inference::ModelConfig& config);
Status ValidateEnsemble(const inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VALIDATE_H_

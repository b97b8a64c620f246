// Takes over what a backend proposes while it loads (contracts, Triton 8.5, SetConfig). Pure.
#ifndef HEADRACE_REPOSITORY_COMPLETE_H_
#define HEADRACE_REPOSITORY_COMPLETE_H_

#include "base/status.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// From `proposed` into `config`: max_batch_size, the inputs, the outputs, a scheduling choice if
// `config` had none, and decoupled. The rest of `proposed` is not looked at. INTERNAL "Cannot
// update scheduling choice from A to B." when it changes a choice that was made. Defaults and
// validation must be applied again afterwards.
Status MergeProposal(const inference::ModelConfig& proposed, inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_COMPLETE_H_

// Finds the variant of a version that is to serve in the place of its original.
#ifndef HEADRACE_REPOSITORY_VARIANTS_H_
#define HEADRACE_REPOSITORY_VARIANTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "repository/model_config_fwd.h"
#include "repository/model_plan.h"
#include "repository/variant_policy.h"

namespace headrace::repository {

struct VariantOptions {
  std::string wish = kVariantsApplied;  // --model-variants; a model's own parameter wins over it
  MachineFacts machine = {};
  bool links_may_leave = false;
};

// The fastest variant that this machine can serve, whose files are whole and whose source has not
// changed; nothing where the original is to serve. The log says which, and why others are none; a
// manifest that does not read is a warning. `config` is the model's own. Blocks: reads the source's
// and the variant's files to compare their digests, unless no variant is wanted.
std::optional<Variant> FindVariant(const ModelPlan& plan, std::int64_t version,
                                   const inference::ModelConfig& config,
                                   const VariantOptions& options);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VARIANTS_H_

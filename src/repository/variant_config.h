// The configuration under which a variant serves in the place of its original. Pure.
#ifndef HEADRACE_REPOSITORY_VARIANT_CONFIG_H_
#define HEADRACE_REPOSITORY_VARIANT_CONFIG_H_

#include <string>

#include "repository/model_config_fwd.h"
#include "repository/variant_manifest.h"

namespace headrace::repository {

// Why variants do not fit what the configuration asks for, whatever they are; empty if they do:
// instances on a GPU, ensembles, a runtime of the model's own, files by compute capability.
std::string WhyNoVariants(const inference::ModelConfig& config);

// Changes backend, platform, file, execution parameters and, where the variant says them, the count
// of instances and the graph level. Tensors, batching, queue and names stay. Parameters and
// accelerators of the original go if another backend serves: they are for that one, but for how
// many threads each instance has. For the handlers' own configuration, whose backend stays, see
// native_model.h.
void PutVariantInForce(const Variant& variant, inference::ModelConfig& config);

// "variants/<name>/<file>", below the version's directory.
std::string VariantFile(const Variant& variant);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VARIANT_CONFIG_H_

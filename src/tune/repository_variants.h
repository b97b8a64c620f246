// The variants of a model that `headrace optimize` wrote into its repository.
#ifndef HEADRACE_TUNE_REPOSITORY_VARIANTS_H_
#define HEADRACE_TUNE_REPOSITORY_VARIANTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tune/space.h"

namespace headrace::tune {

inline constexpr std::size_t kVariantsMax = 16;  // that are searched; the fastest of the manifest

// Of the text of manifest.json (docs/optimize.md). `original` comes first, named "original". What
// was not accepted has its accuracy drop all the same: the caller's bound decides.
Result<std::vector<Variant>> VariantsIn(std::string_view manifest_json, const Variant& original);

// Of the newest version below `model_directory`; only `original` where there is no manifest.
Result<std::vector<Variant>> ReadVariants(const std::string& model_directory,
                                          const Variant& original);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_REPOSITORY_VARIANTS_H_

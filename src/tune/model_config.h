// A configuration as a change of the model's: what a load request carries, and what is written.
#ifndef HEADRACE_TUNE_MODEL_CONFIG_H_
#define HEADRACE_TUNE_MODEL_CONFIG_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/config_change.h"
#include "tune/configuration.h"
#include "tune/space.h"

namespace headrace::tune {

// `model_batches`: the model has a batch dimension (max_batch_size above 0).
bench::ConfigChange ChangeFor(const Configuration& configuration, const Variant& variant,
                              bool model_batches);

// The whole configuration, from the one that the server showed.
Result<std::string> ConfigJsonFor(std::string_view base_json, const Configuration& configuration,
                                  const Variant& variant, bool model_batches);

// config.pbtxt: `text` (the file as it is; "" = there is none) with what is tuned replaced, all
// else as it was. `comment` goes on top, each line behind '#', in place of that of an earlier run.
// INVALID_ARGUMENT where the text cannot be read as a configuration.
Result<std::string> TunedConfigText(std::string_view text, std::string_view model,
                                    const Configuration& configuration, const Variant& variant,
                                    bool model_batches, std::string_view comment);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MODEL_CONFIG_H_

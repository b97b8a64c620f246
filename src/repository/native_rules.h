// Whether a version of a handler's model can be served without Python. Blocks on the file system.
#ifndef HEADRACE_REPOSITORY_NATIVE_RULES_H_
#define HEADRACE_REPOSITORY_NATIVE_RULES_H_

#include <cstdint>
#include <string>

#include "base/result.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// What a native model is made of.
struct NativeFacts {
  std::string why_not;               // not empty: Python workers serve the model, and this is why
  std::string handler;               // the name of the default handler
  std::string weights_file;          // in the version's directory
  std::string vocabulary_file = {};  // there too, if the handler needs one
  std::int64_t class_count_max = 5;  // `handler: {topk: }` of model-config.yaml
  bool decode_parts = true, limit_pixels = true;
};

// Of the version in `directory`. INVALID_ARGUMENT for a manifest or a setting that does not read.
Result<NativeFacts> JudgeNative(const std::string& directory, std::int64_t version,
                                const inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_NATIVE_RULES_H_

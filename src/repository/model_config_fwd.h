// Names the configuration message without its generated header, which is heavy and stays in .cc
// files.
#ifndef HEADRACE_REPOSITORY_MODEL_CONFIG_FWD_H_
#define HEADRACE_REPOSITORY_MODEL_CONFIG_FWD_H_

namespace inference {
class ModelConfig;
class ModelVersionPolicy;
}  // namespace inference

#endif  // HEADRACE_REPOSITORY_MODEL_CONFIG_FWD_H_

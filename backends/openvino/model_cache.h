// Where compiled models are kept.
#ifndef HEADRACE_BACKENDS_OPENVINO_MODEL_CACHE_H_
#define HEADRACE_BACKENDS_OPENVINO_MODEL_CACHE_H_

#include <string>

#include "common/error.h"

namespace headrace::backend {

// The directory below `directory` for what this version of the runtime compiles on this kind of
// processor, made if it is not there: what another one has compiled might not run here. The runtime
// keys the models in it by their content and properties, and compiles a model again whose entry it
// cannot read. INVALID_ARG if `directory` is not absolute, or cannot be made.
Error ModelCacheDirectory(const std::string& directory, std::string* path);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_MODEL_CACHE_H_

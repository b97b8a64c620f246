// Where the file of a model version is.
#ifndef HEADRACE_BACKENDS_COMMON_MODEL_FILE_H_
#define HEADRACE_BACKENDS_COMMON_MODEL_FILE_H_

#include <span>
#include <string>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// <repository>/<version>/<name> for the first of `names` that exists there. UNAVAILABLE names the
// place and what was looked for.
Error FindModelFile(TRITONBACKEND_Model* model, std::span<const std::string> names,
                    std::string* path);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_MODEL_FILE_H_

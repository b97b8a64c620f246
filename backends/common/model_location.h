// Where the files of a model lie.
#ifndef HEADRACE_BACKENDS_COMMON_MODEL_LOCATION_H_
#define HEADRACE_BACKENDS_COMMON_MODEL_LOCATION_H_

#include <filesystem>
#include <string>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

struct ModelLocation {
  std::string name;
  std::filesystem::path model_directory;    // <repository>/<model>
  std::filesystem::path version_directory;  // <repository>/<model>/<version>

  // Asks the server.
  static Error Of(TRITONBACKEND_Model* model, ModelLocation* location);

  // The path of a file that a configuration names: in the version's directory, or else in the
  // model's. UNAVAILABLE if it is in neither, INVALID_ARG if the name leads out of the model's
  // directory, links followed.
  Error Resolve(const std::string& file, std::string* path) const;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_MODEL_LOCATION_H_

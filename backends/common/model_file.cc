#include "common/model_file.h"

#include <fmt/ranges.h>

#include <cstdint>
#include <filesystem>

namespace headrace::backend {

Error FindModelFile(TRITONBACKEND_Model* model, std::span<const std::string> names,
                    std::string* path) {
  TRITONBACKEND_ArtifactType type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  const char* location = nullptr;
  std::uint64_t version = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelRepository(model, &type, &location));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelVersion(model, &version));
  const std::filesystem::path directory = std::filesystem::path(location) / std::to_string(version);
  for (const std::string& name : names) {
    *path = (directory / name).string();
    std::error_code ignored;
    if (std::filesystem::exists(*path, ignored)) {
      return {};
    }
  }
  return Unavailable("unable to find a model in '{}'; it holds none of {}", directory.string(),
                     fmt::join(names, ", "));
}

}  // namespace headrace::backend

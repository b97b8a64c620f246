#include "common/model_location.h"

#include <algorithm>
#include <array>

namespace headrace::backend {
namespace {

namespace fs = std::filesystem;

bool IsInside(const fs::path& directory, const fs::path& path) {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first ==
         directory.end();
}

}  // namespace

Error ModelLocation::Of(TRITONBACKEND_Model* model, ModelLocation* location) {
  const char* name = nullptr;
  TRITONBACKEND_ArtifactType type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  const char* directory = nullptr;
  std::uint64_t version = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelName(model, &name));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelRepository(model, &type, &directory));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelVersion(model, &version));
  location->name = name;
  location->model_directory = directory;
  location->version_directory = location->model_directory / std::to_string(version);
  return {};
}

Error ModelLocation::Resolve(const std::string& file, std::string* path) const {
  std::error_code error;
  for (const fs::path& directory : {version_directory, model_directory}) {
    const fs::path found = fs::canonical(directory / file, error);
    if (error) {
      continue;
    }
    if (!IsInside(fs::canonical(model_directory, error), found)) {
      return InvalidArgument("'{}' leads out of the model's directory", name);
    }
    *path = found.string();
    return {};
  }
  return Unavailable("unable to find '{}' in '{}' or the directory above it", file,
                     version_directory.string());
}

}  // namespace headrace::backend

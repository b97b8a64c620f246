#include "tune/archive_repository.h"

#include <filesystem>
#include <system_error>

namespace headrace::tune {

namespace fs = std::filesystem;

Result<std::unique_ptr<TemporaryFolder>> MakeArchiveRepository(const std::string& archive,
                                                               const std::string& model) {
  HEADRACE_ASSIGN_OR_RETURN(auto folder, TemporaryFolder::Make());
  const fs::path version = fs::path(folder->path()) / model / "1";
  std::error_code error;
  if (!fs::create_directories(version, error) ||
      !fs::copy_file(archive, version / fs::path(archive).filename(), error)) {
    return Unavailable("{}: it cannot be copied to {}: {}", archive, version.string(),
                       error.message());
  }
  return folder;
}

}  // namespace headrace::tune

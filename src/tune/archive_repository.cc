#include "tune/archive_repository.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace headrace::tune {

namespace fs = std::filesystem;

Result<std::unique_ptr<ArchiveRepository>> ArchiveRepository::Make(const std::string& archive,
                                                                   const std::string& model) {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "headrace-tune-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return Unavailable("no directory for temporary files: {}",
                       error ? error.message() : std::strerror(errno));
  }
  std::unique_ptr<ArchiveRepository> repository(new ArchiveRepository(path));
  const fs::path version = fs::path(path) / model / "1";
  if (!fs::create_directories(version, error) ||
      !fs::copy_file(archive, version / fs::path(archive).filename(), error)) {
    return Unavailable("{}: it cannot be copied to {}: {}", archive, version.string(),
                       error.message());
  }
  return repository;
}

ArchiveRepository::~ArchiveRepository() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace headrace::tune

#include "tune/archive_settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "bench/json_value.h"
#include "repository/archive_limits.h"
#include "repository/archive_unpack.h"
#include "repository/handler_manifest.h"
#include "repository/repository_files.h"
#include "repository/yaml_json.h"
#include "tune/temporary_folder.h"
#include "tune/zip_rewrite.h"

namespace headrace::tune {
namespace {

namespace fs = std::filesystem;

constexpr char kSettingsFile[] = "model-config.yaml";
constexpr int kKeptMax = 1000;

Result<bool> IsZip(const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(const repository::ArchiveFile file,
                            repository::ArchiveFile::Open(path));
  char begin[2] = {};
  HEADRACE_RETURN_IF_ERROR(file.Read(0, begin));
  return begin[0] == 'P' && begin[1] == 'K';
}

// Removes the file unless it has been given its name.
class PartOfFile {
 public:
  explicit PartOfFile(std::string path) : path_(std::move(path)) {}
  ~PartOfFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  PartOfFile(const PartOfFile&) = delete;
  PartOfFile& operator=(const PartOfFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// Another name of the file, which is as good as a copy where what takes the file's place is a new
// one; a copy where there are no such names. Nothing may be at `to`.
std::error_code LinkOrCopy(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) {
    fs::copy_file(from, to, error);
  }
  return error;
}

Status ReadUnpacked(const std::string& archive, ArchiveSettings& settings) {
  HEADRACE_ASSIGN_OR_RETURN(settings.zip, IsZip(archive));
  HEADRACE_ASSIGN_OR_RETURN(const auto folder, TemporaryFolder::Make());
  HEADRACE_RETURN_IF_ERROR(
      repository::UnpackArchive(archive, folder->path(), repository::ArchiveLimits()));
  HEADRACE_ASSIGN_OR_RETURN(
      settings.manifest,
      repository::ReadFile(fmt::format("{}/{}", folder->path(), repository::kManifestFile),
                           repository::kManifestByteSizeMax));
  HEADRACE_ASSIGN_OR_RETURN(const repository::HandlerManifest manifest,
                            repository::ReadManifest(folder->path()));
  settings.config_file = manifest.config_file;
  if (!settings.config_file.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(
        settings.yaml,
        repository::ReadFile(fmt::format("{}/{}", folder->path(), settings.config_file),
                             repository::kYamlByteSizeMax));
  }
  return OkStatus();
}

}  // namespace

Result<ArchiveSettings> ReadArchiveSettings(const std::string& archive) {
  ArchiveSettings settings;
  if (Status status = ReadUnpacked(archive, settings); !status.ok()) {
    return status.WithPrefix(archive + ": ");
  }
  return settings;
}

Result<std::string> WriteArchiveSettings(const std::string& archive,
                                         const ArchiveSettings& settings, std::string_view yaml) {
  std::error_code error;
  const fs::path path = fs::canonical(archive, error);  // not the link, but what it means
  if (error) {
    return Unavailable("{}: {}", archive, error.message());
  }
  std::map<std::string, std::string> files;
  std::string config_file = settings.config_file;
  if (config_file.empty()) {
    config_file = kSettingsFile;
    HEADRACE_ASSIGN_OR_RETURN(bench::JsonValue manifest,
                              bench::JsonValue::Parse(settings.manifest));
    manifest["model"]["configFile"] = config_file;
    files[repository::kManifestFile] = manifest.Text();
  }
  files[config_file] = yaml;
  const PartOfFile part(fmt::format("{}.{}.part", path.string(), ::getpid()));
  fs::remove(part.path(), error);  // of a process of this number that was killed
  if (error = LinkOrCopy(path.string(), part.path()); error) {
    return Unavailable("{}: it cannot be written: {}", part.path(), error.message());
  }
  if (Status status = RewriteZip(part.path(), files); !status.ok()) {
    return status.WithPrefix(archive + ": ");
  }
  HEADRACE_ASSIGN_OR_RETURN(const ArchiveSettings written, ReadArchiveSettings(part.path()));
  if (written.yaml != yaml || written.config_file != config_file) {
    return Internal("{}: what was written does not read as it should; it is as it was", archive);
  }
  fs::permissions(part.path(), fs::status(path, error).permissions(), error);
  HEADRACE_ASSIGN_OR_RETURN(std::string kept, KeepBeside(path.string()));
  fs::rename(part.path(), path, error);
  if (error) {
    return Unavailable("{}: {}", archive, error.message());
  }
  return kept;
}

Result<std::string> KeepBeside(const std::string& path) {
  std::error_code error;
  for (int number = 1; number <= kKeptMax; ++number) {
    const std::string kept =
        path + (number == 1 ? ".before-tune" : fmt::format(".before-tune.{}", number));
    if (fs::exists(fs::symlink_status(kept, error))) {
      continue;
    }
    if (error = LinkOrCopy(path, kept); error) {
      fs::remove(kept, error);
      return Unavailable("{}: the old one cannot be kept as {}", path, kept);
    }
    return kept;
  }
  return ResourceExhausted("{}: there are {} older ones beside it (.before-tune): remove some",
                           path, kKeptMax);
}

}  // namespace headrace::tune

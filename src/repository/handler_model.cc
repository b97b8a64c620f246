#include "repository/handler_model.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/archive_unpack.h"
#include "repository/handler_manifest.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "repository/yaml_json.h"

namespace headrace::repository {
namespace {

namespace fs = std::filesystem;

constexpr char kDefaultSettingsFile[] = "model-config.yaml";

bool IsArchiveName(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".mar") || name.ends_with(".tgz") || name.ends_with(".tar.gz"));
}

std::string VersionDirectory(const ModelLocation& location, std::int64_t version) {
  return fmt::format("{}/{}", location.directory, version);
}

std::vector<std::string> ArchivesIn(const std::string& directory) {
  std::vector<std::string> names = ListEntries(directory);
  std::erase_if(names, [](const std::string& name) { return !IsArchiveName(name); });
  return names;
}

bool HasManifest(const std::string& directory) {
  std::error_code error;
  return fs::exists(directory + "/" + kManifestFile, error);
}

// The settings of one version, whose files lie in `directory`.
Result<HandlerSettings> ReadSettings(const std::string& directory, bool manifest_needed) {
  std::error_code error;
  const fs::path canonical = fs::canonical(directory, error);
  if (error) {
    return InvalidArgument("cannot follow the version's directory: {}", error.message());
  }
  std::string file = kDefaultSettingsFile, requirements;
  auto manifest = ReadManifest(canonical.string());
  if (manifest.ok()) {
    file = manifest->config_file;
    requirements = manifest->requirements_file;
  } else if (manifest_needed || manifest.status().code() != StatusCode::kNotFound) {
    return manifest.status().code() == StatusCode::kNotFound
               ? InvalidArgument("the archive holds no {}", kManifestFile)
               : manifest.status();
  }
  HandlerSettings settings;
  if (!file.empty() && fs::exists(canonical / file, error)) {
    HEADRACE_ASSIGN_OR_RETURN(const std::string yaml,
                              ReadFile((canonical / file).string(), kYamlByteSizeMax));
    auto read = ReadHandlerSettings(yaml);
    if (!read.ok()) {
      return read.status().WithPrefix(fmt::format("{}:", EscapeForLog(file, 128)));
    }
    settings = *std::move(read);
  }
  settings.requirements_file = std::move(requirements);
  return settings;
}

}  // namespace

bool IsHandlerModel(const ModelLocation& location, const VersionList& list,
                    const inference::ModelConfig& config) {
  if (!config.backend().empty() || !config.platform().empty() || config.has_ensemble_scheduling() ||
      list.versions.empty()) {
    return config.backend() == kHandlerBackend && !list.versions.empty();
  }
  const std::string directory = VersionDirectory(location, list.versions.back());
  return HasManifest(directory) || !ArchivesIn(directory).empty();
}

Result<std::vector<HandlerVersion>> PrepareHandlerVersions(
    const std::vector<std::int64_t>& versions, const ArchiveLimits& limits, OverrideStore& store,
    ModelSource& source) {
  std::vector<std::string> archives;
  for (const std::int64_t version : versions) {
    const std::string directory = VersionDirectory(source.location, version);
    const std::vector<std::string> found = ArchivesIn(directory);
    if (found.size() > 1) {
      return InvalidArgument(
          "version {} holds {} archives, '{}' and '{}' among them; one is needed", version,
          found.size(), EscapeForLog(found[0], 128), EscapeForLog(found[1], 128));
    }
    if (!found.empty() && !HasManifest(directory)) {
      archives.push_back(directory + "/" + found.front());
    }
  }
  if (!archives.empty() && archives.size() != versions.size()) {
    return InvalidArgument(
        "some of the versions are archives and some are folders; serve them one by one with a "
        "version "
        "policy, or make them all archives");
  }
  ModelSource prepared = source;
  if (!archives.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(ModelSource unpacked, store.CreateEmpty(source.location.name));
    // What the archives came in stays as long as what was made of them.
    using Both = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;
    prepared.location = unpacked.location;
    prepared.files = std::make_shared<Both>(source.files, unpacked.files);
  }
  std::vector<HandlerVersion> result;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const std::string directory = VersionDirectory(prepared.location, versions[i]);
    const std::string who = fmt::format("version {}: ", versions[i]);
    if (!archives.empty()) {
      std::error_code error;
      fs::create_directory(directory, error);
      const Status status =
          error ? Internal("cannot make a directory for the model's files: {}", error.message())
                : UnpackArchive(archives[i], directory, limits);
      HEADRACE_RETURN_IF_ERROR(status.ok() ? status : status.WithPrefix(who));
    }
    auto settings = ReadSettings(directory, !archives.empty());
    if (!settings.ok()) {
      return settings.status().WithPrefix(who);
    }
    result.push_back({versions[i], *std::move(settings)});
  }
  source = std::move(prepared);
  return result;
}

}  // namespace headrace::repository

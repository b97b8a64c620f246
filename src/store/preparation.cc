#include "store/preparation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/archive_unpack.h"
#include "repository/config_json.h"
#include "repository/handler_config.h"
#include "repository/handler_manifest.h"
#include "repository/names.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "repository/yaml_json.h"
#include "store/version_number.h"

namespace headrace::store {
namespace {

namespace fs = std::filesystem;

constexpr char kContent[] = "content";
constexpr char kSettingsFile[] = "model-config.yaml";  // of a folder without a manifest
constexpr char kDefaultVersion[] = "1.0";
constexpr std::size_t kShownByteSizeMax = 256;

StoreError Invalid(const Status& status, std::string_view what = {}) {
  return {StoreFault::kInvalidModel, fmt::format("{}{}", what, status.message())};
}

StoreError NotSaved(std::string_view url, const Status& status) {
  const std::string text = fmt::format("Failed to save model: {} ({})",
                                       EscapeForLog(url, kShownByteSizeMax), status.message());
  const bool full = status.message().find(std::strerror(ENOSPC)) != std::string::npos;
  return {full ? StoreFault::kOutOfMemory : StoreFault::kInternal, text};
}

StoreError CheckRuntime(std::string_view runtime) {
  if (runtime.empty() || runtime == "python" || runtime == "python3") {
    return {};
  }
  if (runtime == "LSP") {
    return {StoreFault::kInvalidModel, "The runtime LSP is not supported, only python and python3"};
  }
  return {StoreFault::kBadRequest,
          fmt::format("Invalid RuntimeType value: {}", EscapeForLog(runtime, kShownByteSizeMax))};
}

// model-config.yaml of the archive in `directory`, which is canonical.
StoreError ReadSettings(const std::string& directory, const std::string& file,
                        repository::HandlerSettings& settings) {
  auto path = repository::ResolveInside(directory, directory, file);
  if (!path.ok()) {
    return Invalid(path.status(), "'configFile': ");
  }
  const auto yaml = repository::ReadFile(*path, repository::kYamlByteSizeMax);
  if (!yaml.ok()) {
    return Invalid(yaml.status(), file + ": ");
  }
  auto read = repository::ReadHandlerSettings(*yaml);
  if (!read.ok()) {
    return Invalid(read.status(), file + ":");
  }
  settings = *std::move(read);
  return {};
}

void AddParameter(const std::string& key, const std::string& value,
                  inference::ModelConfig& config) {
  if (!value.empty()) {
    (*config.mutable_parameters())[key].set_string_value(value);
  }
}

}  // namespace

void Preparation::Discard() {
  source = {};
  if (!fetched_file.empty()) {
    std::error_code ignored;
    fs::remove(std::exchange(fetched_file, {}), ignored);
  }
}

StoreError Preparer::Locate(const Registration& registration, Preparation& preparation,
                            StoreDirectory::Found& found) const {
  if (!registration.folder.empty()) {
    std::error_code error;
    found = {fs::canonical(registration.folder, error).string(), true};
    return error ? NotSaved(registration.url, Internal("{}", error.message())) : StoreError();
  }
  if (registration.url.empty()) {
    return {StoreFault::kModelNotFound, "empty url"};
  }
  if (!ArchiveFetcher::IsUrl(registration.url)) {
    return directory_.Find(registration.url, found);
  }
  if (fetcher_ == nullptr) {
    return {StoreFault::kModelNotFound,
            fmt::format("Given URL {} does not match any allowed URL(s)",
                        EscapeForLog(registration.url, kShownByteSizeMax))};
  }
  std::string path;
  if (StoreError error = directory_.PlaceFor(registration.url, path); !error.ok()) {
    return error;
  }
  if (StoreError error = fetcher_->Fetch(registration.url, path, registration.s3_sse_kms);
      !error.ok()) {
    return error;
  }
  preparation.fetched_file = path;
  found = {path, false};
  return {};
}

StoreError Preparer::Unpack(const StoreDirectory::Found& found, const Registration& registration,
                            Preparation& preparation) const {
  const std::string& url = registration.url;
  auto source = unpacked_.CreateEmpty("model");
  if (!source.ok()) {
    return NotSaved(url, source.status());
  }
  preparation.source = *std::move(source);
  const fs::path content = fs::path(preparation.source.location.directory) / kContent;
  std::error_code error;
  if (found.is_folder) {
    // Served where it lies; what it holds may not lead out of the store either.
    const auto inspected = repository::InspectDirectory(
        registration.folder.empty() ? directory_.path() : found.path, found.path,
        /*links_may_leave=*/false);
    if (!inspected.ok()) {
      return Invalid(inspected.status());
    }
    fs::create_directory_symlink(found.path, content, error);
    return error ? NotSaved(url, Internal("{}", error.message())) : StoreError();
  }
  fs::create_directory(content, error);
  const Status status =
      error ? Internal("cannot make a directory for the model's files: {}", error.message())
            : repository::UnpackArchive(found.path, content.string(), options_.archives);
  if (status.ok()) {
    return {};
  }
  return status.code() == StatusCode::kInternal
             ? NotSaved(url, status)
             : Invalid(status, fmt::format("Invalid model archive {}: ",
                                           EscapeForLog(url, kShownByteSizeMax)));
}

StoreError Preparer::ReadContent(const Registration& registration, Preparation& preparation) const {
  std::error_code error;
  const std::string directory =
      fs::canonical(fs::path(preparation.source.location.directory) / kContent, error).string();
  if (error) {
    return NotSaved(registration.url, Internal("{}", error.message()));
  }
  auto manifest = repository::ReadManifest(directory);
  if (!manifest.ok() && manifest.status().code() != StatusCode::kNotFound) {
    return Invalid(manifest.status());
  }
  const bool has_manifest = manifest.ok();
  const repository::HandlerManifest said =
      has_manifest ? *std::move(manifest) : repository::HandlerManifest();
  preparation.name = !registration.name.empty() ? registration.name : said.model_name;
  if (preparation.name.empty() && registration.at_start) {
    preparation.name = NameOfArchive(registration.url);
  }
  if (preparation.name.empty()) {
    return {StoreFault::kInvalidModel, "Model name is not defined."};
  }
  preparation.handler = !registration.handler.empty() ? registration.handler
                        : said.handler.empty()        ? options_.service_handler
                                                      : "";
  preparation.version = said.model_version.empty() ? kDefaultVersion : said.model_version;
  preparation.runtime = !registration.runtime.empty() ? registration.runtime
                        : said.runtime.empty()        ? "python"
                                                      : said.runtime;
  for (const Status& status :
       {repository::CheckModelName(preparation.name), CheckVersionName(preparation.version)}) {
    if (!status.ok()) {
      return Invalid(status);
    }
  }
  const std::string file = has_manifest ? said.config_file : kSettingsFile;
  if (!file.empty() && (has_manifest || fs::exists(fs::path(directory) / file, error))) {
    if (StoreError unread = ReadSettings(directory, file, preparation.archive); !unread.ok()) {
      return unread;
    }
  }
  preparation.archive.requirements_file = said.requirements_file;
  return {};
}

StoreError Preparer::Prepare(const Registration& registration, Preparation& preparation) const {
  if (StoreError error = CheckRuntime(registration.runtime); !error.ok()) {
    return error;
  }
  StoreDirectory::Found found;
  if (StoreError error = Locate(registration, preparation, found); !error.ok()) {
    return error;
  }
  if (StoreError error = Unpack(found, registration, preparation); !error.ok()) {
    return error;
  }
  return ReadContent(registration, preparation);
}

StoreError Preparer::Plan(const Registration& registration, const ModelSettings& settings,
                          std::int64_t number, Preparation& preparation,
                          repository::ModelPlan& plan) const {
  repository::ModelSource source = preparation.source;
  const fs::path directory = source.location.directory;
  std::error_code error;
  fs::rename(directory / kContent, directory / std::to_string(number), error);
  if (error) {
    return NotSaved(registration.url, Internal("{}", error.message()));
  }
  source.location.name = preparation.name;
  repository::HandlerVersion version{number, preparation.archive};
  auto& merged = version.settings;
  merged.batch_size = settings.batch_size;
  merged.batch_delay_ms = settings.batch_delay_ms;
  merged.response_timeout_s = settings.response_timeout_s;
  merged.startup_timeout_s = settings.startup_timeout_s;
  merged.retry_timeout_s = settings.retry_timeout_s;
  merged.job_queue_size = settings.queue_capacity;
  // Its workers share the cores by this number; how many there are is said later.
  merged.worker_count_min = std::max<std::int64_t>(1, settings.worker_count_min);
  merged.worker_count_max = std::max(*merged.worker_count_min, settings.worker_count_max);
  merged.device_type = settings.gpus.empty() ? "cpu" : "gpu";
  merged.device_ids = settings.gpus;
  inference::ModelConfig config;
  AddParameter("handler", preparation.handler, config);
  AddParameter("service_envelope", options_.service_envelope, config);
  AddParameter("decode_input_request", options_.decode_input_request ? "true" : "false", config);
  AddParameter("limit_max_image_pixels", options_.limit_max_image_pixels ? "true" : "false",
               config);
  preparation.warnings = [&] {
    std::vector<std::string> warnings = std::move(preparation.warnings);
    for (std::string& warning :
         repository::CompleteHandlerConfig({version}, options_.gpu_ids, config)) {
      warnings.push_back(std::move(warning));
    }
    return warnings;
  }();
  source.config_json = repository::ConfigToJson(config);
  repository::PlanOptions plan_options;
  plan_options.auto_complete_config = false;
  plan_options.links_may_leave = true;      // the folder was looked at when it was found
  plan_options.allow_code_override = true;  // to register a model is to run its code
  plan_options.gpus.ids = options_.gpu_ids;
  plan_options.archives = options_.archives;
  plan_options.unpacked = &unpacked_;
  auto planned = repository::PlanModel(std::move(source), plan_options);
  if (!planned.ok()) {
    return Invalid(planned.status());
  }
  plan = *std::move(planned);
  plan.version_name = std::to_string(number) == preparation.version ? "" : preparation.version;
  plan.starts_without_instances = true;
  return {};
}

}  // namespace headrace::store

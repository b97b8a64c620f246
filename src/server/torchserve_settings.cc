#include "server/torchserve_settings.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "server/java_properties.h"
#include "server/sagemaker_properties.h"
#include "server/torchserve_keys.h"

namespace headrace::server {
namespace {

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool IsFile(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

std::string ValueOr(const Environment& environment, const char* name, std::string_view otherwise) {
  const char* value = environment(name);
  return value == nullptr || *value == '\0' ? std::string(otherwise) : std::string(value);
}

bool IsTrue(const Properties& properties, std::string_view key) {
  const auto found = properties.find(key);
  return found != properties.end() && EqualsIgnoringCase(TrimBlanks(found->second), "true");
}

// The newest by its name, which begins with its time (contracts, TorchServe 5.4); empty: none.
std::string NewestSnapshot(const std::string& directory) {
  std::string newest;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".cfg") && IsFile(entry.path().string())) {
      newest = std::max(newest, name);
    }
  }
  return newest.empty() ? newest : directory + "/" + newest;
}

// Puts the sources together, in the order of their rank.
class Resolver {
 public:
  Resolver(TorchServeFlags flags, const Environment& environment)
      : flags_(std::move(flags)), environment_(environment) {}

  Result<ResolvedTorchServe> Resolve() {
    TorchServeConfig& torchserve = resolved_.config.torchserve;
    torchserve.log_location = ValueOr(environment_, "LOG_LOCATION", "logs");
    torchserve.metrics_location = ValueOr(environment_, "METRICS_LOCATION", "logs");
    HEADRACE_RETURN_IF_ERROR(CheckFlags());
    HEADRACE_RETURN_IF_ERROR(FindFile());
    if (resolved_.file.empty()) {
      for (auto& [key, value] : SageMakerProperties(environment_)) {
        Set(key, value, "SageMaker's variables: " + key);
      }
    }
    HEADRACE_RETURN_IF_ERROR(ApplySources());
    ListenAlone();
    return std::move(resolved_);
  }

  // For `headrace serve`: what its options say is there already.
  Status ResolveBeside(ServerConfig& config, std::vector<std::string>& warnings) {
    resolved_.config = config;
    resolved_.file = flags_.ts_config;
    HEADRACE_RETURN_IF_ERROR(ApplySources());
    config = std::move(resolved_.config);
    config.torchserve.snapshots = false;
    warnings.insert(warnings.end(), resolved_.warnings.begin(), resolved_.warnings.end());
    return OkStatus();
  }

 private:
  // The file, what is to be put in place of its values, all of it by its keys.
  Status ApplySources() {
    TorchServeConfig& torchserve = resolved_.config.torchserve;
    if (!resolved_.file.empty()) {
      HEADRACE_ASSIGN_OR_RETURN(properties_, ReadPropertiesFile(resolved_.file));
      for (auto& [key, value] : properties_) {
        auto expanded = ExpandVariables(value, environment_);
        if (!expanded.ok()) {
          return InvalidArgument("{}: key {}: {}", resolved_.file, key,
                                 expanded.status().message());
        }
        value = *std::move(expanded);
      }
    }
    ApplyFlags();
    ApplyEnvironment();
    for (const auto& [key, value] : properties_) {
      HEADRACE_RETURN_IF_ERROR(Apply(key, value));
    }
    if (!flags_.models.empty() && !sources_.contains("load_models")) {
      torchserve.load_models = flags_.models;
    }
    torchserve.properties.insert(properties_.begin(), properties_.end());
    torchserve.temporary_directory = ValueOr(environment_, "TEMP", "");
    torchserve.enabled = true;
    return CheckStores();
  }

  Status CheckFlags() {
    for (const auto& [name, file] : {std::pair("--log-config", flags_.log_config),
                                     std::pair("--cpp-log-config", flags_.cpp_log_config)}) {
      if (file.empty()) {
        continue;
      }
      if (!IsFile(file)) {
        return NotFound("{} file not found: {}", name, file);
      }
      resolved_.warnings.push_back(
          fmt::format("{} has no effect: the log's form and places are fixed", name));
    }
    const std::string temporary = ValueOr(environment_, "TEMP", "");
    if (!temporary.empty() && !IsDirectory(temporary)) {
      return NotFound("Invalid temp directory: {}, please check TEMP environment variable.",
                      temporary);
    }
    return OkStatus();
  }

  Status FindFile() {
    const std::string named = ValueOr(environment_, "TS_CONFIG_FILE", flags_.ts_config);
    if (!named.empty()) {
      if (!IsFile(named)) {
        return NotFound("--ts-config file not found: {}", named);
      }
      resolved_.file = named;
      return OkStatus();
    }
    const std::string snapshots = resolved_.config.torchserve.log_location + "/config";
    if (!flags_.no_config_snapshots && flags_.models.empty()) {
      resolved_.file = NewestSnapshot(snapshots);
    }
    if (!resolved_.file.empty()) {
      resolved_.warnings.push_back(fmt::format(
          "the models and settings of the snapshot {} are restored, because neither --ts-config "
          "nor --models is given; --no-config-snapshots starts without it",
          resolved_.file));
    } else if (IsFile("config.properties")) {
      resolved_.file = "config.properties";
    }
    return OkStatus();
  }

  void Set(std::string key, std::string value, std::string source) {
    sources_.insert_or_assign(key, std::move(source));
    properties_.insert_or_assign(std::move(key), std::move(value));
  }

  void ApplyFlags() {
    for (const auto& [key, flag, value] :
         {std::tuple("model_store", "--model-store", flags_.model_store),
          std::tuple("workflow_store", "--workflow-store", flags_.workflow_store),
          std::tuple("plugins_path", "--plugins-path", flags_.plugins_path),
          std::tuple("disable_token_authorization", "--disable-token-auth",
                     std::string(flags_.disable_token_auth ? "true" : "")),
          std::tuple("enable_model_api", "--enable-model-api",
                     std::string(flags_.enable_model_api ? "true" : ""))}) {
      if (!value.empty()) {
        Set(key, value, flag);
      }
    }
  }

  void ApplyEnvironment() {
    if (!IsTrue(properties_, "enable_envvars_config")) {
      return;
    }
    for (const TorchServeKey& key : TorchServeKeys()) {
      const std::string name = TorchServeEnvironmentName(key.name);
      const char* value = environment_(name.c_str());
      if (value == nullptr ||
          (key.name == "allowed_urls" && !IsTrue(properties_, "use_env_allowed_urls"))) {
        continue;
      }
      Set(std::string(key.name), value, name);
    }
  }

  Status Apply(const std::string& name, const std::string& value) {
    if (name == "enable_envvars_config" || name == "use_env_allowed_urls") {
      return OkStatus();
    }
    const TorchServeKey* key = FindTorchServeKey(name);
    const auto source = sources_.find(name);
    const std::string where =
        source != sources_.end() ? source->second : fmt::format("{}: key {}", resolved_.file, name);
    if (key == nullptr) {
      // TorchServe says nothing; a key that was mistyped would go unnoticed so.
      resolved_.warnings.push_back(fmt::format("{} is not known and has no effect", where));
      return OkStatus();
    }
    if (key->set == nullptr) {
      if (TrimBlanks(value) != key->quiet_value) {
        resolved_.warnings.push_back(fmt::format("{} has no effect: {}", where, key->reason));
      }
      return OkStatus();
    }
    if (const Status status = key->set(resolved_.config, value); !status.ok()) {
      return InvalidArgument("{}: {}", where, status.message());
    }
    return OkStatus();
  }

  Status CheckStores() {
    TorchServeConfig& torchserve = resolved_.config.torchserve;
    if (torchserve.model_store.empty()) {
      return InvalidArgument("Missing mandatory parameter --model-store");
    }
    if (!IsDirectory(torchserve.model_store)) {
      return NotFound("--model-store directory not found: {}", torchserve.model_store);
    }
    if (torchserve.workflow_store.empty()) {
      torchserve.workflow_store = torchserve.model_store;
    } else if (!IsDirectory(torchserve.workflow_store)) {
      return NotFound("--workflow-store directory not found: {}", torchserve.workflow_store);
    }
    return OkStatus();
  }

  // Nothing but TorchServe's own services listens.
  void ListenAlone() {
    ServerConfig& config = resolved_.config;
    config.torchserve.program = true;
    config.torchserve.snapshots = !flags_.no_config_snapshots;
    config.allow_http = config.allow_grpc = config.allow_metrics = false;
    config.http_requests_per_connection_max = 0;
  }

  const TorchServeFlags flags_;
  const Environment& environment_;
  ResolvedTorchServe resolved_;
  Properties properties_;
  std::map<std::string, std::string, std::less<>> sources_;  // of what is not the file's
};

}  // namespace

Result<ResolvedTorchServe> ResolveTorchServe(const TorchServeFlags& flags,
                                             const Environment& environment) {
  return Resolver(flags, environment).Resolve();
}

Status CompleteTorchServe(ServerConfig& config, const Environment& environment,
                          std::vector<std::string>& warnings) {
  if (config.torchserve.config_file.empty() && config.torchserve.model_store.empty()) {
    return OkStatus();
  }
  TorchServeFlags flags;
  flags.ts_config = config.torchserve.config_file;
  flags.model_store = config.torchserve.model_store;
  return Resolver(std::move(flags), environment).ResolveBeside(config, warnings);
}

std::string TemporaryDirectory(const Environment& environment) {
  for (const char* name : {"TMPDIR", "TEMP", "TMP"}) {
    const std::string directory = ValueOr(environment, name, "");
    if (!directory.empty() && IsDirectory(directory)) {
      return directory;
    }
  }
  return "/tmp";
}

}  // namespace headrace::server

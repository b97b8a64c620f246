#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "server/option_rows.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

using repository::ControlMode;

Option TextList(std::string_view name, std::string_view alias, std::string_view group,
                std::vector<std::string> ServerConfig::*field, std::string_view value,
                std::string_view help) {
  Option option{.name = name,
                .alias = alias,
                .group = group,
                .value = value,
                .help = help,
                .kind = OptionKind::kList};
  option.set = [field](ServerConfig& config, std::string_view text) {
    if (text.empty()) {
      return InvalidArgument("expected a value, got an empty one");
    }
    (config.*field).emplace_back(text);
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) {
    return fmt::format("{}", fmt::join(config.*field, " "));
  };
  option.clear = [field](ServerConfig& config) { (config.*field).clear(); };
  return option;
}

Option ModelControlMode() {
  Option option{.name = "model-control-mode",
                .alias = "model-control",
                .group = "Models",
                .value = "none|poll|explicit",
                .help =
                    "none: load every model at start, refuse the load and unload calls. poll: the "
                    "same, and follow changes of the repositories. explicit: load what "
                    "--load-model names, and let the repository calls load and unload."};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text == "none") {
      config.control_mode = ControlMode::kNone;
    } else if (text == "explicit") {
      config.control_mode = ControlMode::kExplicit;
    } else if (text == "poll") {
      config.control_mode = ControlMode::kPoll;
    } else {
      return InvalidArgument("expected none, poll or explicit, got '{}'", text);
    }
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return config.control_mode == ControlMode::kExplicit ? "explicit"
           : config.control_mode == ControlMode::kPoll   ? "poll"
                                                         : "none";
  };
  return option;
}

// "<backend>,<key>=<value>"; an empty backend means all of them.
Status SetBackendConfig(ServerConfig& config, std::string_view text) {
  const std::size_t comma = text.find(',');
  const std::size_t equals = text.find('=', comma == std::string_view::npos ? 0 : comma);
  if (comma == std::string_view::npos || equals == std::string_view::npos || equals == comma + 1) {
    return InvalidArgument("expected <backend>,<key>=<value>, got '{}'", text);
  }
  const std::string key(text.substr(comma + 1, equals - comma - 1));
  config.backend_config[std::string(text.substr(0, comma))][key] =
      std::string(text.substr(equals + 1));
  return OkStatus();
}

Option BackendConfig() {
  Option option{
      .name = "backend-config",
      .alias = {},
      .group = "Models",
      .value = "BACKEND,KEY=VALUE",
      .help = "A setting that is handed to a backend; an empty BACKEND means all. Repeatable.",
      .kind = OptionKind::kList};
  option.set = SetBackendConfig;
  option.get = [](const ServerConfig& config) {
    std::string text;
    for (const auto& [backend, settings] : config.backend_config) {
      for (const auto& [key, value] : settings) {
        text += fmt::format("{}{},{}={}", text.empty() ? "" : " ", backend, key, value);
      }
    }
    return text;
  };
  option.clear = [](ServerConfig& config) { config.backend_config.clear(); };
  return option;
}

// Deprecated in Triton: the opposite of disable-auto-complete-config.
Option StrictModelConfig() {
  Option option{.name = "strict-model-config",
                .alias = {},
                .group = "Models",
                .value = "true|false",
                .help = "true is the same as --disable-auto-complete-config."};
  option.set = [](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.disable_auto_complete_config, ParseBool(text));
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return config.disable_auto_complete_config ? "true" : "false";
  };
  return option;
}

Option DisableAutoComplete() {
  Option option =
      Bool("disable-auto-complete-config", "Models", &ServerConfig::disable_auto_complete_config,
           "Take model configurations as they are written; backends complete nothing.");
  option.kind = OptionKind::kSwitch;
  option.value = {};
  return option;
}

}  // namespace

void AppendModelOptions(std::vector<Option>& options) {
  options.push_back(TextList("model-repository", "model-store", "Models",
                             &ServerConfig::model_repositories, "DIRECTORY",
                             "A model repository. Repeatable; at least one is required."));
  options.push_back(ModelControlMode());
  options.push_back(
      TextList("load-model", "", "Models", &ServerConfig::load_models, "NAME",
               "A model to load at start in explicit mode; * alone means all. Repeatable."));
  options.push_back(Number("repository-poll-secs", "Models", &ServerConfig::repository_poll_s,
                           "SECONDS", {1, 86'400},
                           "Time between two looks at the repositories in poll mode. A change is "
                           "taken up when two looks in a row have seen the same."));
  options.push_back(Bool("exit-on-error", "Models", &ServerConfig::exit_on_error,
                         "End the program with status 1 when a model fails to load at start."));
  options.push_back(
      Bool("strict-readiness", "Models", &ServerConfig::strict_readiness,
           "Ready only while every model is; otherwise ready once the start is over."));
  options.push_back(DisableAutoComplete());
  options.push_back(StrictModelConfig());
  options.push_back(
      Text("model-config-name", "Models", &ServerConfig::model_config_name, "NAME",
           "Use configs/NAME.pbtxt of a model in place of its config.pbtxt, where it exists."));
  options.push_back(Number("model-load-thread-count", "Models",
                           &ServerConfig::model_load_thread_count, "COUNT", {1, 256},
                           "Threads that load models."));
  options.push_back(Number("model-load-retry-count", "Models",
                           &ServerConfig::model_load_retry_count, "COUNT", {0, 100},
                           "How often a failed load is tried again."));
  options.push_back(
      Bool("model-namespacing", "Models", &ServerConfig::model_namespacing,
           "Let model repositories have models of the same name: each is a namespace. "
           "A name alone means a model while no other serves under it; "
           "REPOSITORY::NAME always."));
  options.push_back(Bool("allow-links-outside-repository", "Models",
                         &ServerConfig::allow_links_outside_repository,
                         "Follow links that lead out of their model repository."));
  options.push_back(Bool("allow-code-override", "Models", &ServerConfig::allow_code_override,
                         "Let load requests bring code with them: shared objects, Python files, "
                         "Python models."));
  options.push_back(Text("backend-directory", "Models", &ServerConfig::backend_directory,
                         "DIRECTORY",
                         "Where <backend>/libtriton_<backend>.so is looked for; empty: backends/ "
                         "beside the program."));
  options.push_back(BackendConfig());
  options.push_back(TextList("enable-openvino", "", "Models", &ServerConfig::enable_openvino,
                             "MODEL",
                             "Run this ONNX model with OpenVINO, as if its configuration asked for "
                             "that accelerator; * means all. Repeatable."));
  options.push_back(
      TextList("enable-tensorrt", "", "Models", &ServerConfig::enable_tensorrt, "MODEL",
               "Run this ONNX model with TensorRT on its GPUs; * means all that are on "
               "a GPU. Repeatable."));
}

}  // namespace headrace::server

#include <string>

#include "server/option_rows.h"

namespace headrace::server {
namespace {

Option TorchServeText(std::string_view name, std::string TorchServeConfig::*field,
                      std::string_view value, std::string_view help) {
  Option option{.name = name, .alias = {}, .group = "TorchServe", .value = value, .help = help};
  option.set = [field](ServerConfig& config, std::string_view text) {
    config.torchserve.*field = std::string(text);
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) { return config.torchserve.*field; };
  return option;
}

}  // namespace

void AppendTorchServeOptions(std::vector<Option>& options) {
  options.push_back(
      TorchServeText("torchserve-model-store", &TorchServeConfig::model_store, "DIRECTORY",
                     "Be a TorchServe over these archives, too: with its inference, management "
                     "and metrics listeners and its tokens (docs/from_torchserve.md)."));
  options.push_back(TorchServeText("torchserve-config", &TorchServeConfig::config_file, "FILE",
                                   "The config.properties of that TorchServe; its model_store "
                                   "makes --torchserve-model-store needless."));
}

}  // namespace headrace::server

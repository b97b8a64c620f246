// Puts the configuration of a TorchServe together from its command line, its file and the
// environment (contracts, TorchServe 5.1 and 5.3).
#ifndef HEADRACE_SERVER_TORCHSERVE_SETTINGS_H_
#define HEADRACE_SERVER_TORCHSERVE_SETTINGS_H_

#include <string>
#include <vector>

#include "base/result.h"
#include "server/option_sources.h"
#include "server/server_config.h"

namespace headrace::server {

// What the command line of `torchserve` says.
struct TorchServeFlags {
  bool version = false, start = false, stop = false;
  bool foreground = false;
  std::string ts_config, model_store, workflow_store;
  std::vector<std::string> models;
  std::string log_config, cpp_log_config, plugins_path;
  bool no_config_snapshots = false;
  bool disable_token_auth = false;
  bool enable_model_api = false;
  bool help = false;
};

// As Python's argparse reads it: --name value or --name=value, unambiguous beginnings of names;
// --models takes all that follows up to the next option. INVALID_ARGUMENT in its words.
Result<TorchServeFlags> ParseTorchServeFlags(const std::vector<std::string>& arguments);
std::string TorchServeUsage();

struct ResolvedTorchServe {
  ServerConfig config;
  std::string file;  // that was read; empty: none
  // What has no effect, by name, and what is less safe than it could be.
  std::vector<std::string> warnings;
};

// Which file: TS_CONFIG_FILE, --ts-config, the newest snapshot below LOG_LOCATION (unless models or
// --no-config-snapshots are given), ./config.properties. Which value: the environment if the file
// has enable_envvars_config=true, the command line, the file. Looks at directories and files.
// INVALID_ARGUMENT and NOT_FOUND are whole messages for the user.
Result<ResolvedTorchServe> ResolveTorchServe(const TorchServeFlags& flags,
                                             const Environment& environment);

// The same for a server that is a TorchServe beside what else it is: from --torchserve-config and
// --torchserve-model-store, which are in `config`. Nothing without one of them.
Status CompleteTorchServe(ServerConfig& config, const Environment& environment,
                          std::vector<std::string>& warnings);

// The directory for temporary files, as Python finds it: TMPDIR, TEMP, TMP, /tmp.
std::string TemporaryDirectory(const Environment& environment);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_SETTINGS_H_

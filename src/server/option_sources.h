// Puts a ServerConfig together from the configuration file, the environment and the command line.
#ifndef HEADRACE_SERVER_OPTION_SOURCES_H_
#define HEADRACE_SERVER_OPTION_SOURCES_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/options.h"
#include "server/server_config.h"

namespace headrace::server {

// A configuration and where its values came from.
struct ResolvedConfig {
  ServerConfig config;
  std::map<std::string, std::string, std::less<>>
      sources;  // option name -> "flag", "environment X", "file F"; absent = default
  std::vector<std::string> warnings;  // flags that were accepted and are not acted on
  bool help = false;
  bool print_config = false;
  bool print_reference = false;
};

// Looks a variable up; empty result = not set. Tests give their own.
using Environment = std::function<const char*(const char* name)>;

// `arguments` without the program's name. Accepts --name=value, --name value and unambiguous
// prefixes of names (contracts, Triton 7.1). INVALID_ARGUMENT names the option, where it was given
// and what it takes. Unknown options and file keys are errors.
Result<ResolvedConfig> ResolveConfig(const std::vector<std::string>& arguments,
                                     const Environment& environment);

// One line per option: name, value and source.
std::string PrintConfig(const ResolvedConfig& resolved);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_OPTION_SOURCES_H_

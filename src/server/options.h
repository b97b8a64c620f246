// The one table of server options: it gives the flags, the keys of the configuration file, the
// environment variables, the help text, the reference page and `--print-config`.
#ifndef HEADRACE_SERVER_OPTIONS_H_
#define HEADRACE_SERVER_OPTIONS_H_

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "server/server_config.h"

namespace headrace::server {

enum class OptionKind : std::uint8_t {
  kValue,       // one value; the last one given wins within a source
  kList,        // repeatable; a later source replaces an earlier one's list
  kSwitch,      // takes no value on the command line; true/false elsewhere
  kNotActedOn,  // a flag of Triton's that this version accepts and warns about by name
};

struct Option {
  std::string_view name;   // flag without dashes, and key of the configuration file: "http-port"
  std::string_view alias;  // a second flag of the same meaning; empty = none
  std::string_view group;
  std::string_view value;  // what the help shows for the value: "PORT", "true|false"
  std::string_view help;
  OptionKind kind = OptionKind::kValue;
  // Sets the option from text. INVALID_ARGUMENT says what is wrong with the value, without the
  // option's name. Null for kNotActedOn.
  std::function<Status(ServerConfig&, std::string_view)> set = nullptr;
  // The value in force as text; lists are joined by a blank. Null for kNotActedOn.
  std::function<std::string(const ServerConfig&)> get = nullptr;
  // Empties a list before another source fills it. Null unless kList.
  std::function<void(ServerConfig&)> clear = nullptr;
};

// In the order of the reference page. Lives as long as the process.
std::span<const Option> ServerOptions();

// By name or alias, exactly. Null if there is none.
const Option* FindOption(std::string_view name);

// "HEADRACE_HTTP_PORT" for "http-port".
std::string EnvironmentName(const Option& option);

// The help text and the reference page (Markdown).
std::string OptionsHelp();
std::string OptionsReference();

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_OPTIONS_H_

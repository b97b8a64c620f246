#include "server/option_rows.h"

#include <fmt/format.h>

#include "server/option_text.h"

namespace headrace::server {

Option Bool(std::string_view name, std::string_view group, bool ServerConfig::*field,
            std::string_view help) {
  Option option{.name = name, .alias = {}, .group = group, .value = "true|false", .help = help};
  option.set = [field](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.*field, ParseBool(text));
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) { return config.*field ? "true" : "false"; };
  return option;
}

Option Number(std::string_view name, std::string_view group, std::uint64_t ServerConfig::*field,
              std::string_view value, Range range, std::string_view help) {
  Option option{.name = name, .alias = {}, .group = group, .value = value, .help = help};
  option.set = [field, range](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.*field, ParseNumber(text, range.minimum, range.maximum));
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) { return fmt::format("{}", config.*field); };
  return option;
}

Option Text(std::string_view name, std::string_view group, std::string ServerConfig::*field,
            std::string_view value, std::string_view help) {
  Option option{.name = name, .alias = {}, .group = group, .value = value, .help = help};
  option.set = [field](ServerConfig& config, std::string_view text) {
    config.*field = std::string(text);
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) { return config.*field; };
  return option;
}

}  // namespace headrace::server

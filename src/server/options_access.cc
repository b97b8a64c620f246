#include <fmt/ranges.h>

#include <string>
#include <utility>

#include "frontend/access_policy.h"
#include "server/option_rows.h"

namespace headrace::server {
namespace {

// The values are secrets: neither the log nor --print-config shows them.
constexpr std::string_view kHidden = "***";

Option Restriction(std::string_view name, std::string_view group,
                   std::vector<std::string> ServerConfig::*field, std::string_view help) {
  Option option{.name = name,
                .alias = {},
                .group = group,
                .value = "API,...:HEADER=VALUE",
                .help = help,
                .kind = OptionKind::kList};
  option.set = [field](ServerConfig& config, std::string_view text) {
    frontend::AccessPolicy policy;
    for (const std::string& rule : config.*field) {
      HEADRACE_RETURN_IF_ERROR(policy.AddRule(rule));
    }
    HEADRACE_RETURN_IF_ERROR(policy.AddRule(text));
    (config.*field).emplace_back(text);
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) {
    std::string shown;
    for (const std::string& rule : config.*field) {
      shown += shown.empty() ? "" : " ";
      shown += rule.substr(0, rule.find('=') + 1);
      shown += kHidden;
    }
    return shown;
  };
  option.clear = [field](ServerConfig& config) { (config.*field).clear(); };
  return option;
}

// A name without a port; a comma would be a second one in config.properties.
Option ManagementAllowedHost() {
  Option option{.name = "management-allowed-host",
                .alias = {},
                .group = "HTTP",
                .value = "NAME",
                .help =
                    "A name that requests which change the server may have in Host, beside "
                    "addresses and localhost, where only this machine reaches it; elsewhere "
                    "names are looked at if one is given here. *: any. Repeatable.",
                .kind = OptionKind::kList};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text.empty() || text.find_first_of(" ,:/") != std::string_view::npos) {
      return InvalidArgument("expected a name without scheme and port, got '{}'", text);
    }
    config.management_allowed_hosts.emplace_back(text);
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return fmt::format("{}", fmt::join(config.management_allowed_hosts, " "));
  };
  option.clear = [](ServerConfig& config) { config.management_allowed_hosts.clear(); };
  return option;
}

}  // namespace

void AppendAccessOptions(std::vector<Option>& options) {
  options.push_back(Restriction(
      "http-restricted-api", "HTTP", &ServerConfig::http_restricted_apis,
      "Requests of these APIs (health, metadata, inference, shared-memory, model-config, "
      "model-repository, statistics, trace, logging) need this header with this value. "
      "Repeatable; an API may be named once."));
  options.push_back(
      Restriction("grpc-restricted-protocol", "gRPC", &ServerConfig::grpc_restricted_protocols,
                  "The same over gRPC, where the header is triton-grpc-protocol-HEADER."));
  options.push_back(Number("key-failures-per-second", "HTTP",
                           &ServerConfig::key_failures_per_second, "COUNT", {0, 1'000'000},
                           "Requests of one host without the header or token that they need; "
                           "beyond it they are answered 429; 0: no limit."));
  options.push_back(ManagementAllowedHost());
}

}  // namespace headrace::server

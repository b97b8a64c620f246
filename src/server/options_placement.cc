#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "base/thread.h"
#include "server/option_rows.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

constexpr std::size_t kPolicyCountMax = 1024;

// Letters, digits and a few signs: names become JSON keys and text in the log.
bool IsPolicyName(std::string_view name) {
  return !name.empty() && name.size() <= 128 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

// "<name>,numa-node=<n>" or "<name>,cpu-cores=<a>-<b>[,<c>-<d>]" (contracts, Triton 7.2).
Status SetHostPolicy(ServerConfig& config, std::string_view text) {
  constexpr const char* kForms =
      "expected <name>,numa-node=<number> or <name>,cpu-cores=<first>-<last>[,<first>-<last>]";
  const std::size_t comma = text.find(',');
  const std::size_t equals = comma == text.npos ? comma : text.find('=', comma);
  const std::string_view name = text.substr(0, comma);
  if (equals == text.npos || !IsPolicyName(name)) {
    return InvalidArgument("{}, got '{}'", kForms, text);
  }
  const std::string_view key = text.substr(comma + 1, equals - comma - 1);
  const std::string_view value = text.substr(equals + 1);
  engine::HostPolicy policy;
  if (const auto known = config.host_policies.find(std::string(name));
      known != config.host_policies.end()) {
    policy = known->second;
  }
  if (key == "numa-node") {
    auto node = ParseNumber(value, 0, 1023);
    if (!node.ok()) {
      return node.status().WithPrefix(fmt::format("numa-node of host policy '{}': ", name));
    }
    policy.numa_node = static_cast<int>(*node);
  } else if (key == "cpu-cores") {
    auto cpus = ParseCpuList(value);
    if (!cpus.ok()) {
      return cpus.status().WithPrefix(fmt::format("cpu-cores of host policy '{}': ", name));
    }
    policy.cpus = *std::move(cpus);
  } else {
    return InvalidArgument("host policy '{}' has no setting '{}': {}", name, key, kForms);
  }
  if (config.host_policies.size() >= kPolicyCountMax &&
      config.host_policies.count(std::string(name)) == 0) {
    return InvalidArgument("at most {} host policies can be defined", kPolicyCountMax);
  }
  config.host_policies[std::string(name)] = std::move(policy);
  return OkStatus();
}

Option HostPolicyOption() {
  Option option{.name = "host-policy",
                .alias = {},
                .group = "Placement",
                .value = "NAME,SETTING=VALUE",
                .help =
                    "numa-node=N or cpu-cores=A-B[,C-D] of the host policy NAME: where "
                    "instances run that have it. cpu, model and gpu_<id> are the policies of "
                    "instances that name none. Repeatable.",
                .kind = OptionKind::kList};
  option.set = SetHostPolicy;
  option.get = [](const ServerConfig& config) {
    std::string text;
    for (const auto& [name, policy] : config.host_policies) {
      if (policy.numa_node >= 0) {
        text += fmt::format("{}{},numa-node={}", text.empty() ? "" : " ", name, policy.numa_node);
      }
      if (!policy.cpus.empty()) {
        text += fmt::format("{}{},cpu-cores={}", text.empty() ? "" : " ", name,
                            FormatCpuList(policy.cpus));
      }
    }
    return text;
  };
  option.clear = [](ServerConfig& config) { config.host_policies.clear(); };
  return option;
}

Option PinInstances() {
  Option option{.name = "pin-instances",
                .alias = {},
                .group = "Placement",
                .value = "true|false",
                .help =
                    "Give the instances of a model cores of their own while they and their "
                    "threads fit into those that are free."};
  option.set = [](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.pin_instances, ParseBool(text));
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) { return config.pin_instances ? "true" : "false"; };
  return option;
}

}  // namespace

void AppendPlacementOptions(std::vector<Option>& options) {
  options.push_back(HostPolicyOption());
  options.push_back(PinInstances());
}

}  // namespace headrace::server

#include "server/option_sources.h"

#include <fmt/format.h>
#include <getopt.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <utility>

#include "server/option_text.h"
#include "server/torchserve_settings.h"

namespace headrace::server {
namespace {

// Applies one source after another; a list that a later source gives replaces the earlier one's.
class Resolver {
 public:
  Status Apply(const Option& option, std::string_view text, const std::string& source) {
    if (option.kind == OptionKind::kNotActedOn) {
      resolved_.warnings.push_back(fmt::format(
          "--{} ({}) is accepted but has no effect in this version", option.name, source));
      return OkStatus();
    }
    if (option.kind == OptionKind::kList && resolved_.sources[std::string(option.name)] != source) {
      option.clear(resolved_.config);
    }
    if (Status status = option.set(resolved_.config, text); !status.ok()) {
      return InvalidArgument("option --{} ({}): {}", option.name, source, status.message());
    }
    resolved_.sources[std::string(option.name)] = source;
    return OkStatus();
  }
  ResolvedConfig& resolved() { return resolved_; }

 private:
  ResolvedConfig resolved_;
};

Status ApplyNode(Resolver& resolver, const Option& option, const YAML::Node& value,
                 const std::string& source) {
  if (value.IsScalar()) {
    return resolver.Apply(option, value.Scalar(), source);
  }
  if (!value.IsSequence() || option.kind != OptionKind::kList) {
    return InvalidArgument(
        "{}: key '{}' takes {}", source, option.name,
        option.kind == OptionKind::kList ? "a value or a list of values" : "one value");
  }
  for (const YAML::Node& element : value) {
    if (!element.IsScalar()) {
      return InvalidArgument("{}: key '{}' takes a list of plain values", source, option.name);
    }
    HEADRACE_RETURN_IF_ERROR(resolver.Apply(option, element.Scalar(), source));
  }
  return OkStatus();
}

Status ApplyMap(Resolver& resolver, const YAML::Node& root, const std::string& source) {
  if (root.IsNull()) {
    return OkStatus();
  }
  if (!root.IsMap()) {
    return InvalidArgument("{}: expected a map of option names to values", source);
  }
  for (const auto& entry : root) {
    std::string key = entry.first.Scalar();
    std::replace(key.begin(), key.end(), '_', '-');
    const Option* option = FindOption(key);
    if (option == nullptr) {
      return InvalidArgument("{}: unknown key '{}'; `headrace serve --help` lists them", source,
                             key);
    }
    HEADRACE_RETURN_IF_ERROR(ApplyNode(resolver, *option, entry.second, source));
  }
  return OkStatus();
}

Status ApplyFile(Resolver& resolver, const std::string& path) {
  const std::string source = fmt::format("file {}", path);
  try {
    return ApplyMap(resolver, YAML::LoadFile(path), source);
  } catch (const YAML::Exception& error) {
    return InvalidArgument("{}: {}", source, error.what());
  }
}

Status ApplyEnvironment(Resolver& resolver, const Environment& environment) {
  for (const Option& option : ServerOptions()) {
    const std::string name = EnvironmentName(option);
    if (const char* value = environment(name.c_str()); value != nullptr) {
      HEADRACE_RETURN_IF_ERROR(resolver.Apply(option, value, fmt::format("environment {}", name)));
    }
  }
  return OkStatus();
}

// Triton's hooks for tests of its schedulers (contracts, Triton 4.2), under its own names.
Status ApplyTestHooks(Resolver& resolver, const Environment& environment) {
  ServerConfig& config = resolver.resolved().config;
  for (const auto& [name, field] :
       {std::pair("TRITONSERVER_DELAY_SCHEDULER", &ServerConfig::hold_until_count),
        std::pair("TRITONSERVER_BACKLOG_DELAY_SCHEDULER",
                  &ServerConfig::hold_until_backlog_count)}) {
    const char* value = environment(name);
    if (value == nullptr) {
      continue;
    }
    auto count = ParseNumber(value, 0, 1'000'000);
    if (!count.ok()) {
      return InvalidArgument("environment {}: {}", name, count.status().message());
    }
    config.*field = *count;
    resolver.resolved().warnings.push_back(
        fmt::format("environment {}: requests are held back until {} wait", name, *count));
  }
  return OkStatus();
}

// What the command line said, before it is applied: the file comes first.
struct ParsedFlags {
  std::vector<std::pair<const Option*, std::string>> values;
  std::string config_file;
  bool help = false, print_config = false, print_reference = false;
};

// Above every character: getopt_long answers ':' and '?' for what is wrong.
enum SpecialFlag : int { kHelp = 256, kConfig, kPrintConfig, kPrintReference, kFirstOption };

std::vector<option> LongOptions() {
  std::vector<option> table = {{"help", no_argument, nullptr, kHelp},
                               {"config", required_argument, nullptr, kConfig},
                               {"print-config", no_argument, nullptr, kPrintConfig},
                               {"print-reference", no_argument, nullptr, kPrintReference}};
  int value = kFirstOption;
  for (const Option& entry : ServerOptions()) {
    const int has_argument = entry.kind == OptionKind::kSwitch ? no_argument : required_argument;
    table.push_back({entry.name.data(), has_argument, nullptr, value});
    if (!entry.alias.empty()) {
      table.push_back({entry.alias.data(), has_argument, nullptr, value});
    }
    ++value;
  }
  table.push_back({nullptr, 0, nullptr, 0});
  return table;
}

void Take(ParsedFlags& flags, int value) {
  switch (value) {
    case kHelp:
      flags.help = true;
      break;
    case kConfig:
      flags.config_file = optarg;
      break;
    case kPrintConfig:
      flags.print_config = true;
      break;
    case kPrintReference:
      flags.print_reference = true;
      break;
    default:
      flags.values.emplace_back(&ServerOptions()[static_cast<std::size_t>(value - kFirstOption)],
                                optarg == nullptr ? "true" : optarg);
  }
}

Result<ParsedFlags> ParseFlags(const std::vector<std::string>& arguments) {
  std::vector<std::string> storage = {"headrace"};
  storage.insert(storage.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : storage) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  const int count = static_cast<int>(storage.size());
  const std::vector<option> table = LongOptions();

  ParsedFlags flags;
  optind = 0;  // restarts getopt
  opterr = 0;
  while (true) {
    const int position = optind == 0 ? 1 : optind;
    const int value = getopt_long(count, argv.data(), "+:", table.data(), nullptr);
    if (value == -1) {
      break;
    }
    if (value == ':') {
      return InvalidArgument("option {} needs a value", argv[position]);
    }
    if (value == '?') {
      return InvalidArgument("unknown or ambiguous option {}; `headrace serve --help` lists them",
                             argv[position]);
    }
    Take(flags, value);
  }
  if (optind < count) {
    return InvalidArgument("unexpected argument '{}'; options look like --name=value",
                           argv[optind]);
  }
  return flags;
}

}  // namespace

Result<ResolvedConfig> ResolveConfig(const std::vector<std::string>& arguments,
                                     const Environment& environment) {
  HEADRACE_ASSIGN_OR_RETURN(ParsedFlags flags, ParseFlags(arguments));
  Resolver resolver;
  if (flags.config_file.empty()) {
    if (const char* file = environment("HEADRACE_CONFIG"); file != nullptr) {
      flags.config_file = file;
    }
  }
  if (!flags.config_file.empty()) {
    HEADRACE_RETURN_IF_ERROR(ApplyFile(resolver, flags.config_file));
  }
  HEADRACE_RETURN_IF_ERROR(ApplyEnvironment(resolver, environment));
  HEADRACE_RETURN_IF_ERROR(ApplyTestHooks(resolver, environment));
  for (const auto& [entry, text] : flags.values) {
    HEADRACE_RETURN_IF_ERROR(resolver.Apply(*entry, text, "flag"));
  }
  if (!flags.help && !flags.print_reference) {
    HEADRACE_RETURN_IF_ERROR(
        CompleteTorchServe(resolver.resolved().config, environment, resolver.resolved().warnings));
  }
  resolver.resolved().help = flags.help;
  resolver.resolved().print_config = flags.print_config;
  resolver.resolved().print_reference = flags.print_reference;
  return std::move(resolver.resolved());
}

std::string PrintConfig(const ResolvedConfig& resolved) {
  std::string text;
  for (const Option& option : ServerOptions()) {
    if (option.kind == OptionKind::kNotActedOn) {
      continue;
    }
    const auto source = resolved.sources.find(option.name);
    const std::string from =
        source == resolved.sources.end() || source->second.empty() ? "default" : source->second;
    text += fmt::format("{}: {}  # {}\n", option.name, option.get(resolved.config), from);
  }
  return text;
}

}  // namespace headrace::server

#include <fmt/format.h>

#include "server/options.h"

namespace headrace::server {
namespace {

std::string DefaultText(const Option& option) {
  static const ServerConfig defaults;
  return option.get ? option.get(defaults) : std::string();
}

std::string FlagText(const Option& option) {
  return option.value.empty() ? fmt::format("--{}", option.name)
                              : fmt::format("--{}={}", option.name, option.value);
}

}  // namespace

std::string OptionsHelp() {
  std::string text;
  std::string_view group;
  for (const Option& option : ServerOptions()) {
    if (option.group != group) {
      group = option.group;
      text += fmt::format("\n{}:\n", group);
    }
    if (option.kind == OptionKind::kNotActedOn) {
      text += fmt::format("  --{}\n", option.name);
      continue;
    }
    const std::string default_text = DefaultText(option);
    text += fmt::format("  {}\n      {}{}{}\n", FlagText(option), option.help,
                        option.alias.empty() ? "" : fmt::format(" Also: --{}.", option.alias),
                        default_text.empty() ? "" : fmt::format(" Default: {}.", default_text));
  }
  return text;
}

std::string OptionsReference() {
  std::string text =
      "# Options of `headrace serve`\n\n"
      "Each option is a flag, a key of the file that `--config` names, and an environment "
      "variable. Flags win over the\n"
      "environment, the environment over the file, the file over the defaults; `--print-config` "
      "says where each value came "
      "from.\n";
  std::string_view group;
  for (const Option& option : ServerOptions()) {
    if (option.group != group) {
      group = option.group;
      text += fmt::format(
          "\n## {}\n\n| flag and key | environment | default | meaning |\n|---|---|---|---|\n",
          group);
    }
    const std::string default_text = DefaultText(option);
    const std::string alias =
        option.alias.empty() ? std::string() : fmt::format(", `{}`", option.alias);
    text +=
        fmt::format("| `{}`{} | `{}` | {} | {} |\n", option.name, alias, EnvironmentName(option),
                    default_text.empty() ? "" : fmt::format("`{}`", default_text), option.help);
  }
  return text;
}

}  // namespace headrace::server

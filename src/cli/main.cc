// The program: picks the subcommand. Called by the name `tritonserver` it is `headrace serve`, by
// the name `torchserve` `headrace torchserve`.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/bench.h"
#include "cli/optimize.h"
#include "cli/profile.h"
#include "cli/serve.h"
#include "cli/top.h"
#include "cli/torchserve.h"
#include "cli/tune.h"

namespace {

using Arguments = std::vector<std::string>;

struct Command {
  std::string_view name;
  int (*run)(const Arguments& arguments);
  std::string_view what;
};

constexpr Command kCommands[] = {
    {"serve", headrace::cli::Serve, "serve model repositories"},
    {"torchserve", headrace::cli::TorchServe, "be a TorchServe"},
    {"bench", headrace::cli::Bench, "measure a server; suites of measurements, and comparisons"},
    {"tune", headrace::cli::Tune, "find the configuration that serves the most within an SLA"},
    {"optimize", [](const Arguments& arguments) { return headrace::cli::Optimize(arguments); },
     "measure what a model gains from each known optimisation"},
    {"profile", headrace::cli::Profile, "show where the time of a running model goes"},
    {"top", headrace::cli::Top, "watch a running server"},
};

std::string Usage() {
  std::string text = "usage: headrace <command> [options]\n\ncommands:\n";
  const auto add = [&](std::string_view name, std::string_view what) {
    text +=
        "  " + std::string(name) + std::string(12 - name.size(), ' ') + std::string(what) + "\n";
  };
  for (const Command& command : kCommands) {
    add(command.name, command.what);
  }
  add("version", "print the version");
  return text + "\n`headrace <command> --help` lists the options of a command.\n";
}

const Command* Find(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kCommands), std::end(kCommands),
                   [&](const Command& command) { return command.name == name; });
  return found == std::end(kCommands) ? nullptr : found;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments(argv + 1, argv + argc);
  const std::string_view program = argc > 0 ? argv[0] : "headrace";
  const std::string_view name = program.substr(program.rfind('/') + 1);
  if (name == "tritonserver") {
    return headrace::cli::Serve(arguments);
  }
  if (name == "torchserve") {
    return headrace::cli::TorchServe(arguments);
  }
  const std::string first = arguments.empty() ? "" : arguments.front();
  if (const Command* const command = Find(first)) {
    arguments.erase(arguments.begin());
    return command->run(arguments);
  }
  if (first == "version" || first == "--version") {
    std::printf("headrace %s\n", HEADRACE_VERSION);
    return 0;
  }
  const bool asked = first == "help" || first == "--help";
  std::fputs(Usage().c_str(), asked ? stdout : stderr);
  return asked ? 0 : 1;
}

// The program: picks the subcommand. Called by the name `tritonserver` it is `headrace serve`, by
// the name `torchserve` `headrace torchserve`.
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/optimize.h"
#include "cli/serve.h"
#include "cli/torchserve.h"

namespace {

constexpr char kUsage[] =
    "usage: headrace <command> [options]\n"
    "\n"
    "commands:\n"
    "  serve       serve model repositories; `headrace serve --help` lists the options\n"
    "  torchserve  be a TorchServe; `headrace torchserve --help` lists the options\n"
    "  optimize    measure what a model gains from each known optimisation\n"
    "  version     print the version\n";

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string_view program = argc > 0 ? argv[0] : "headrace";
  const std::string_view name = program.substr(program.rfind('/') + 1);
  if (name == "tritonserver") {
    return headrace::cli::Serve(arguments);
  }
  if (name == "torchserve") {
    return headrace::cli::TorchServe(arguments);
  }
  const std::string command = arguments.empty() ? "" : arguments.front();
  if (command == "serve") {
    arguments.erase(arguments.begin());
    return headrace::cli::Serve(arguments);
  }
  if (command == "torchserve") {
    arguments.erase(arguments.begin());
    return headrace::cli::TorchServe(arguments);
  }
  if (command == "optimize") {
    arguments.erase(arguments.begin());
    return headrace::cli::Optimize(std::move(arguments));
  }
  if (command == "version" || command == "--version") {
    std::printf("headrace %s\n", HEADRACE_VERSION);
    return 0;
  }
  const bool asked = command == "help" || command == "--help";
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 1;
}

#include "cli/serve.h"

#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "cli/run_server.h"
#include "server/option_sources.h"
#include "server/process.h"

namespace headrace::cli {
namespace {

int Fail(const Status& status) {
  std::fprintf(stderr, "headrace: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int Serve(const std::vector<std::string>& arguments) {
  auto resolved = server::ResolveConfig(
      arguments, [](const char* name) -> const char* { return std::getenv(name); });
  if (!resolved.ok()) {
    return Fail(resolved.status());
  }
  if (resolved->help) {
    std::printf(
        "usage: headrace serve --model-repository=DIRECTORY [options]\n%s\n"
        "Other flags: --config=FILE (YAML), --print-config, --print-reference, --help.\n",
        server::OptionsHelp().c_str());
    return 0;
  }
  if (resolved->print_reference) {
    std::fputs(server::OptionsReference().c_str(), stdout);
    return 0;
  }
  if (resolved->print_config) {
    std::fputs(server::PrintConfig(*resolved).c_str(), stdout);
    return 0;
  }
  if (resolved->config.model_repositories.empty() && !resolved->config.torchserve.enabled) {
    return Fail(InvalidArgument("--model-repository is required; it names a directory of models"));
  }
  server::HardenProcess();
  if (Status status = ConfigureLog(resolved->config.log); !status.ok()) {
    return Fail(status);
  }
  if (Status status = server::DropPrivileges(resolved->config.run_as_user); !status.ok()) {
    return Fail(status);
  }
  for (const std::string& warning : resolved->warnings) {
    HEADRACE_LOG_WARNING("{}", warning);
  }
  return RunServer(resolved->config, {.failed = [](const Status& status) { Fail(status); }});
}

}  // namespace headrace::cli

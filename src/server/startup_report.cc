#include "server/startup_report.h"

#include <fmt/format.h>

#include <map>

#include "base/log.h"
#include "server/options.h"
#include "server/process.h"
#include "server/text_table.h"

namespace headrace::server {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string BackendTable(const engine::BackendProvider& backends) {
  Rows rows = {{"Backend", "Path", "Config"}};
  for (const auto& backend : backends.LoadedBackends()) {
    rows.push_back({backend.name, backend.path, backend.config_json});
  }
  return DrawTable(rows);
}

std::string ModelTable(const engine::Registry& registry) {
  const auto snapshot = registry.Load();
  // Sorted by name: the snapshot's own order means nothing to a reader.
  std::map<std::string, std::shared_ptr<const engine::ModelEntry>> models(
      snapshot->models().begin(), snapshot->models().end());
  Rows rows = {{"Model", "Version", "Status"}};
  for (const auto& [name, entry] : models) {
    if (entry->versions.empty()) {
      rows.push_back({name, "-", "Not loaded"});
    }
    for (const auto& [version, state] : entry->versions) {
      std::string status(engine::ModelStateName(state.state));
      if (!state.reason.empty()) {
        status += ": " + EscapeForLog(state.reason);
      }
      rows.push_back({name, std::to_string(version), status});
    }
  }
  return DrawTable(rows);
}

std::string OptionTable(const ServerConfig& config) {
  Rows rows = {{"Option", "Value"}};
  for (const Option& option : ServerOptions()) {
    if (option.get) {
      rows.push_back({std::string(option.name), EscapeForLog(option.get(config))});
    }
  }
  return DrawTable(rows);
}

}  // namespace

void ReportStart(const ServerConfig& config, const engine::BackendProvider& backends,
                 const engine::Registry& registry) {
  LogTable("backends", BackendTable(backends));
  LogTable("models", ModelTable(registry));
  LogTable("options", OptionTable(config));
  if (RunsAsRoot()) {
    HEADRACE_LOG_WARNING("running as root; --user=NAME gives it up before anything is served");
  }
}

}  // namespace headrace::server

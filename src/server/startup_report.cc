#include "server/startup_report.h"

#include <fmt/format.h>

#include <utility>

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

std::string ModelTable(const repository::ModelManager& models) {
  Rows rows = {{"Model", "Version", "Status"}};
  for (const repository::IndexEntry& entry : models.Index(false)) {
    std::string status = entry.state.empty() ? "Not loaded" : entry.state;
    if (!entry.reason.empty()) {
      status += ": " + EscapeForLog(entry.reason);
    }
    rows.push_back({entry.name, entry.version.empty() ? "-" : entry.version, std::move(status)});
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
                 const repository::ModelManager& models) {
  LogTable("backends", BackendTable(backends));
  LogTable("models", ModelTable(models));
  LogTable("options", OptionTable(config));
  if (RunsAsRoot()) {
    HEADRACE_LOG_WARNING("running as root; --user=NAME gives it up before anything is served");
  }
}

}  // namespace headrace::server

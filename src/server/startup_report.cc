#include "server/startup_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/model_key.h"
#include "server/options.h"
#include "server/process.h"
#include "server/text_table.h"

namespace headrace::server {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string AgentTable(const plugin::AgentHost& agents) {
  Rows rows = {{"Repository Agent", "Path"}};
  for (const auto& agent : agents.LoadedAgents()) {
    rows.push_back({agent.name, EscapeForLog(agent.path)});
  }
  return DrawTable(rows);
}

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
    rows.push_back({engine::MakeModelKey(entry.name_space, entry.name),
                    entry.version.empty() ? "-" : entry.version, std::move(status)});
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

// A name that is mistyped would otherwise do nothing, and say nothing.
void WarnOfUnknownModels(const repository::ModelManager& models) {
  const std::vector<repository::IndexEntry> index = models.Index(false);
  for (const std::string& name : repository::NamedModels(models.options().accelerators)) {
    if (std::none_of(index.begin(), index.end(),
                     [&](const repository::IndexEntry& entry) { return entry.name == name; })) {
      HEADRACE_LOG_WARNING(
          "--enable-openvino or --enable-tensorrt names model '{}', which no model repository has",
          EscapeForLog(name));
    }
  }
}

}  // namespace

void ReportStart(const ServerConfig& config, const StartedParts& parts) {
  LogTable("repository agents", AgentTable(parts.agents));
  LogTable("backends", BackendTable(parts.backends));
  LogTable("models", ModelTable(parts.models));
  LogTable("options", OptionTable(config));
  WarnOfUnknownModels(parts.models);
  if (RunsAsRoot()) {
    HEADRACE_LOG_WARNING("running as root; --user=NAME gives it up before anything is served");
  }
}

}  // namespace headrace::server

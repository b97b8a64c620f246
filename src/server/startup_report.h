// What the log says when the models are loaded.
#ifndef HEADRACE_SERVER_STARTUP_REPORT_H_
#define HEADRACE_SERVER_STARTUP_REPORT_H_

#include "engine/backend.h"
#include "plugin/agent_host.h"
#include "repository/model_manager.h"
#include "server/server_config.h"

namespace headrace::server {

// Borrowed for the call.
struct StartedParts {
  const plugin::AgentHost& agents;
  const engine::BackendProvider& backends;
  const repository::ModelManager& models;
};

// Logs the tables of repository agents, backends, models and options (contracts, Triton 7.3).
void ReportStart(const ServerConfig& config, const StartedParts& parts);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_STARTUP_REPORT_H_

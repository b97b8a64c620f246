// The trace and logging endpoints (contracts, Triton 1.11).
#include <string>
#include <utility>

#include "frontend/call.h"
#include "frontend/log_settings.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
#include "protocol/settings_json.h"
#include "tracing/trace_update.h"

namespace headrace::frontend {
namespace {

// POST changes settings; both methods answer with those in force.
bool IsUpdate(const Call& call) { return call.exchange->head().method == net::HttpMethod::kPost; }

Status UpdateTrace(Call& call) {
  HEADRACE_ASSIGN_OR_RETURN(const protocol::Settings settings,
                            protocol::ParseSettings(call.body()));
  HEADRACE_ASSIGN_OR_RETURN(const tracing::TraceUpdate update, tracing::ReadTraceUpdate(settings));
  call.services.tracer.Update(call.match.model, update.changes, update.cleared);
  return OkStatus();
}

Status UpdateLog(Call& call) {
  HEADRACE_ASSIGN_OR_RETURN(const protocol::Settings settings,
                            protocol::ParseSettings(call.body()));
  return UpdateLogSettings(settings);
}

}  // namespace

void ServeTraceSetting(Call& call) {
  const std::string_view model = call.match.model;
  if (!model.empty() && call.loop.models.Get().Find(model) == nullptr) {
    ReplyError(*call.exchange, NotFound("Request for unknown model: '{}' is not found", model));
    return;
  }
  if (const Status status = IsUpdate(call) ? UpdateTrace(call) : OkStatus(); !status.ok()) {
    ReplyError(*call.exchange, status);
    return;
  }
  const tracing::Tracer& tracer = call.services.tracer;
  ReplyJson(*call.exchange,
            protocol::SettingsJson(tracing::ShowTraceSettings(tracer.Get(model), tracer.target())));
}

void ServeLogSettings(Call& call) {
  if (const Status status = IsUpdate(call) ? UpdateLog(call) : OkStatus(); !status.ok()) {
    ReplyError(*call.exchange, status);
    return;
  }
  ReplyJson(*call.exchange, protocol::SettingsJson(ShowLogSettings()));
}

}  // namespace headrace::frontend

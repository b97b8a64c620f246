#include "top/reading.h"

#include <utility>

namespace headrace::top {

Result<Reading> Read(load::ServerControl& control, const Clock& clock) {
  Reading reading;
  HEADRACE_ASSIGN_OR_RETURN(const load::ServerFacts server, control.Server());
  reading.server = server.name + " " + server.version;
  HEADRACE_ASSIGN_OR_RETURN(reading.models, control.Statistics(""));
  reading.at = clock.Now();
  if (const auto text = control.Metrics(); text.ok()) {
    if (auto metrics = load::ReadMetrics(*text); metrics.ok()) {
      reading.metrics = std::move(*metrics);
    }
  }
  if (const auto index = control.Index(); index.ok()) {
    for (const load::ModelState& state : *index) {
      if (state.state != "READY" && !state.state.empty()) {
        reading.not_ready[state.name] =
            state.state + (state.reason.empty() ? "" : ": ") + state.reason;
      }
    }
  }
  return reading;
}

}  // namespace headrace::top

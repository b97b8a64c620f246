#include "load/load_reason.h"

#include <algorithm>
#include <vector>

namespace headrace::load {

Status WithLoadReason(Status failure, ServerControl& control, const std::string& model,
                      const std::string& version) {
  if (failure.ok()) {
    return failure;
  }
  const auto index = control.Index();
  if (!index.ok()) {
    return failure;
  }
  std::vector<std::string> reasons;
  for (const ModelState& state : *index) {
    // "unloaded" and the like say no more than the state does.
    const bool asked = state.name == model && (version.empty() || state.version == version);
    if (asked && state.state == "UNAVAILABLE" && !state.reason.empty() &&
        state.reason != "unloaded" &&
        std::find(reasons.begin(), reasons.end(), state.reason) == reasons.end() &&
        failure.message().find(state.reason) == std::string::npos) {
      reasons.push_back(state.reason);
    }
  }
  std::string text;
  for (const std::string& reason : reasons) {
    text += (text.empty() ? "" : "; ") + reason;
  }
  return text.empty() ? failure
                      : Status(failure.code(),
                               fmt::format("{}: it did not load: {}", failure.message(), text));
}

}  // namespace headrace::load

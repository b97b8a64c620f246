#include "frontend/call.h"

#include <charconv>

namespace headrace::frontend {

Result<std::optional<std::int64_t>> ParseVersion(const RouteMatch& match) {
  const std::string_view text = match.version;
  if (text.empty()) {
    return std::optional<std::int64_t>();
  }
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '0') {
    return NotFound("Request for unknown model: '{}' version {} is not found", match.model,
                    text.substr(0, 32));
  }
  return std::optional<std::int64_t>(version);
}

Result<engine::ModelHandle> FindModel(const RouteMatch& match,
                                      const engine::RegistrySnapshot& snapshot) {
  HEADRACE_ASSIGN_OR_RETURN(const std::optional<std::int64_t> version, ParseVersion(match));
  return snapshot.Lookup(match.model, version);
}

}  // namespace headrace::frontend

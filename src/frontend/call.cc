#include "frontend/call.h"

#include <charconv>
#include <string>

#include "engine/model_key.h"
#include "protocol/urlencoded.h"

namespace headrace::frontend {
namespace {

Result<std::optional<std::int64_t>> ParseVersion(std::string_view model, std::string_view text) {
  if (text.empty()) {
    return std::optional<std::int64_t>();
  }
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '0') {
    return NotFound("Request for unknown model: '{}' version {} is not found", model,
                    text.substr(0, 32));
  }
  return std::optional<std::int64_t>(version);
}

}  // namespace

std::string ModelNameOf(const RouteMatch& match) {
  std::string name = protocol::PercentDecodeWherePossible(match.model);
  return engine::HasNamespace(name) ? name : std::string(match.model);
}

bool ServerIsReady(const Services& services) {
  return !services.draining.load(std::memory_order_relaxed) &&
         services.models.Ready(services.options.strict_readiness);
}

Result<engine::ModelHandle> FindModel(std::string_view model, std::string_view version,
                                      const engine::RegistrySnapshot& snapshot) {
  HEADRACE_ASSIGN_OR_RETURN(const std::optional<std::int64_t> number, ParseVersion(model, version));
  return snapshot.Lookup(model, number);
}

Result<engine::ModelHandle> FindModel(const RouteMatch& match,
                                      const engine::RegistrySnapshot& snapshot) {
  if (match.model.find('%') == std::string_view::npos) {
    return FindModel(match.model, match.version, snapshot);
  }
  return FindModel(ModelNameOf(match), match.version, snapshot);
}

}  // namespace headrace::frontend

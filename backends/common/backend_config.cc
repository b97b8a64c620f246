#include "common/backend_config.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace headrace::backend {

Error BackendConfig::Read(TRITONBACKEND_Backend* backend, BackendConfig* config) {
  TRITONSERVER_Message* message = nullptr;  // the server's
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_BackendConfig(backend, &message));
  const char* base = nullptr;
  std::size_t byte_size = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONSERVER_MessageSerializeToJson(message, &base, &byte_size));
  const auto root = nlohmann::json::parse(base, base + byte_size, nullptr, false);
  const auto cmdline = root.is_object() ? root.find("cmdline") : root.end();
  if (cmdline == root.end() || !cmdline->is_object()) {
    return {};
  }
  for (const auto& [key, value] : cmdline->items()) {
    config->settings_[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return {};
}

Error BackendConfig::Get(const std::string& key, std::int64_t* value) const {
  const auto found = settings_.find(key);
  if (found == settings_.end()) {
    return {};
  }
  const std::string& text = found->second;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (failure != std::errc() || stop != text.data() + text.size()) {
    return InvalidArgument("backend setting '{}' has the value '{}', which is not an integer", key,
                           text);
  }
  return {};
}

Error BackendConfig::Get(const std::string& key, bool* value) const {
  const auto found = settings_.find(key);
  if (found == settings_.end()) {
    return {};
  }
  if (found->second != "true" && found->second != "1" && found->second != "false" &&
      found->second != "0") {
    return InvalidArgument("backend setting '{}' has the value '{}', which is not true or false",
                           key, found->second);
  }
  *value = found->second == "true" || found->second == "1";
  return {};
}

}  // namespace headrace::backend

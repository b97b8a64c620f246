#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <string>

#include "server/option_rows.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

Status SetCacheConfig(ServerConfig& config, std::string_view text) {
  const std::size_t comma = text.find(',');
  const std::size_t equals = comma == std::string_view::npos ? comma : text.find('=', comma);
  if (equals == std::string_view::npos || comma == 0 || equals == comma + 1) {
    return InvalidArgument("expected <cache>,<key>=<value>, got '{}'", text);
  }
  const std::string name(text.substr(0, comma));
  if (!config.cache_name.empty() && config.cache_name != name) {
    return InvalidArgument("there can be one response cache only, got '{}' and '{}'",
                           config.cache_name, name);
  }
  config.cache_name = name;
  config.cache_settings[std::string(text.substr(comma + 1, equals - comma - 1))] =
      std::string(text.substr(equals + 1));
  return OkStatus();
}

Option CacheConfig() {
  Option option{.name = "cache-config",
                .alias = {},
                .group = "Response cache",
                .value = "CACHE,KEY=VALUE",
                .help =
                    "The cache of models with response_cache { enable: true }. "
                    "local,size=BYTES keeps answers in the server's memory; any other is a library "
                    "below --cache-directory, and so is local where there is one. Repeatable.",
                .kind = OptionKind::kList};
  option.set = SetCacheConfig;
  option.get = [](const ServerConfig& config) {
    std::string text;
    for (const auto& [key, value] : config.cache_settings) {
      text += fmt::format("{}{},{}={}", text.empty() ? "" : " ", config.cache_name, key, value);
    }
    return text;
  };
  option.clear = [](ServerConfig& config) {
    config.cache_name.clear();
    config.cache_settings.clear();
  };
  return option;
}

Option ResponseCacheByteSize() {
  Option option{.name = "response-cache-byte-size",
                .alias = {},
                .group = "Response cache",
                .value = "BYTES",
                .help =
                    "The same as --cache-config=local,size=BYTES, as older versions of Triton "
                    "have it. 0: no cache."};
  option.set = [](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.response_cache_byte_size,
                              ParseNumber(text, 0, std::uint64_t{1} << 50));
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return fmt::format("{}", config.response_cache_byte_size);
  };
  return option;
}

Option RateLimit() {
  Option option{.name = "rate-limit",
                .alias = {},
                .group = "Rate limiter",
                .value = "off|execution_count",
                .help =
                    "execution_count: an instance executes only while there are the resources "
                    "that its group's rate_limiter asks for."};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text != "off" && text != "execution_count") {
      return InvalidArgument("expected off or execution_count, got '{}'", text);
    }
    config.rate_limit = text == "execution_count";
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return config.rate_limit ? "execution_count" : "off";
  };
  return option;
}

// "<name>:<count>[:<device>]", as Triton takes it.
Status AddRateLimitResource(ServerConfig& config, std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return InvalidArgument("expected <name>:<count>[:<device>], got '{}'", text);
  }
  engine::ResourceLimit limit{.name = std::string(text.substr(0, colon)), .device = {}};
  std::string_view count = text.substr(colon + 1);
  if (const std::size_t second = count.find(':'); second != std::string_view::npos) {
    HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t device,
                              ParseNumber(count.substr(second + 1), 0, 1023));
    limit.device = static_cast<int>(device);
    count = count.substr(0, second);
  }
  HEADRACE_ASSIGN_OR_RETURN(limit.count,
                            ParseNumber(count, 0, std::numeric_limits<std::uint32_t>::max()));
  config.rate_limit_resources.push_back(std::move(limit));
  return OkStatus();
}

Option RateLimitResource() {
  Option option{.name = "rate-limit-resource",
                .alias = {},
                .group = "Rate limiter",
                .value = "NAME:COUNT[:DEVICE]",
                .help =
                    "How much there is of a resource, on one GPU or on each device. Repeatable; "
                    "a resource that is not named has as much as its neediest instance wants.",
                .kind = OptionKind::kList};
  option.set = AddRateLimitResource;
  option.get = [](const ServerConfig& config) {
    std::string text;
    for (const engine::ResourceLimit& limit : config.rate_limit_resources) {
      text += fmt::format("{}{}:{}", text.empty() ? "" : " ", limit.name, limit.count);
      text += limit.device ? fmt::format(":{}", *limit.device) : "";
    }
    return text;
  };
  option.clear = [](ServerConfig& config) { config.rate_limit_resources.clear(); };
  return option;
}

}  // namespace

void AppendModelServiceOptions(std::vector<Option>& options) {
  options.push_back(CacheConfig());
  options.push_back(Text("cache-directory", "Response cache", &ServerConfig::cache_directory, "DIR",
                         "Holds CACHE/libtritoncache_CACHE.so. Default: caches/ beside the "
                         "program."));
  options.push_back(ResponseCacheByteSize());
  options.push_back(
      Number("cache-thread-count", "Response cache", &ServerConfig::cache_thread_count, "COUNT",
             {1, 1024}, "Threads that call a cache that is a library, which may take its time."));
  options.push_back(Number("cache-waiting-max", "Response cache", &ServerConfig::cache_waiting_max,
                           "COUNT", {1, 1'000'000},
                           "Calls that wait for those threads; beyond it requests go without the "
                           "cache."));
  options.push_back(Text("repoagent-directory", "Models", &ServerConfig::repoagent_directory, "DIR",
                         "Holds AGENT/libtritonrepoagent_AGENT.so for models with "
                         "model_repository_agents. Default: repoagents/ beside the program."));
  options.push_back(RateLimit());
  options.push_back(RateLimitResource());
}

}  // namespace headrace::server

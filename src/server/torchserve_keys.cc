#include "server/torchserve_keys.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/ascii.h"
#include "base/checked_math.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

using Config = TorchServeConfig;

constexpr std::int64_t kSecondsMax = 10'000'000;  // some months

// As Java's Boolean.parseBoolean.
bool IsTrue(std::string_view text) { return EqualsIgnoringCase(TrimBlanks(text), "true"); }

template <auto Field>
Status SetBool(ServerConfig& config, std::string_view text) {
  config.torchserve.*Field = IsTrue(text);
  return OkStatus();
}

template <auto Field>
Status SetText(ServerConfig& config, std::string_view text) {
  config.torchserve.*Field = std::string(TrimBlanks(text));
  return OkStatus();
}

// A number of seconds, requests or bytes within sensible bounds.
template <auto Field, std::int64_t minimum, std::int64_t maximum>
Status SetNumber(ServerConfig& config, std::string_view text) {
  const auto number = ParseDecimal<std::int64_t>(TrimBlanks(text));
  if (!number || *number < minimum || *number > maximum) {
    return InvalidArgument("expected a whole number from {} to {}, got '{}'", minimum, maximum,
                           text);
  }
  using Value = std::remove_reference_t<decltype(config.torchserve.*Field)>;
  if constexpr (std::is_same_v<Value, std::optional<std::int64_t>>) {
    config.torchserve.*Field = *number;
  } else {
    config.torchserve.*Field = static_cast<Value>(*number);
  }
  return OkStatus();
}

template <auto Field, std::uint16_t http, std::uint16_t https>
Status SetAddress(ServerConfig& config, std::string_view text) {
  HEADRACE_ASSIGN_OR_RETURN(config.torchserve.*Field,
                            ParseTorchServeAddress(TrimBlanks(text), {http, https}));
  return OkStatus();
}

template <auto Field>
Status SetHost(ServerConfig& config, std::string_view text) {
  HEADRACE_ASSIGN_OR_RETURN(config.torchserve.*Field, ResolveHost(std::string(TrimBlanks(text))));
  return OkStatus();
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = TrimBlanks(text.substr(0, comma));
    if (!part.empty()) {
      list.emplace_back(part);
    }
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return list;
}

template <auto Field>
Status SetList(ServerConfig& config, std::string_view text) {
  config.torchserve.*Field = SplitList(text);
  return OkStatus();
}

// "none", as TorchServe has it, is no model.
Status SetLoadModels(ServerConfig& config, std::string_view text) {
  HEADRACE_RETURN_IF_ERROR(SetList<&Config::load_models>(config, text));
  std::vector<std::string>& models = config.torchserve.load_models;
  if (models.size() == 1 && EqualsIgnoringCase(models.front(), "none")) {
    models.clear();
  }
  return OkStatus();
}

Status SetTokenExpiration(ServerConfig& config, std::string_view text) {
  const std::string_view digits = TrimBlanks(text);
  double minutes = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minutes);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(minutes) ||
      minutes <= 0 || minutes > 60.0 * 24 * 3660) {
    return InvalidArgument("expected minutes, more than 0 and less than ten years, got '{}'", text);
  }
  config.torchserve.token_expiration_min = minutes;
  return OkStatus();
}

Status SetMetricsMode(ServerConfig& config, std::string_view text) {
  const std::string_view mode = TrimBlanks(text);
  for (const std::string_view known : {"log", "prometheus", "legacy"}) {
    if (EqualsIgnoringCase(mode, known)) {
      config.torchserve.metrics_mode = known;
      return OkStatus();
    }
  }
  return InvalidArgument("expected log, prometheus or legacy, got '{}'", text);
}

Status SetServiceEnvelope(ServerConfig& config, std::string_view text) {
  const std::string_view envelope = TrimBlanks(text);
  for (const std::string_view known : {"", "body", "json", "kserve", "kservev2"}) {
    if (envelope == known) {
      config.torchserve.service_envelope = known;
      return OkStatus();
    }
  }
  return InvalidArgument("expected body, json, kserve or kservev2, got '{}'", text);
}

Status SetOpenInferenceProtocol(ServerConfig& config, std::string_view text) {
  config.torchserve.ts_open_inference_protocol =
      IsTrue(text) || EqualsIgnoringCase(TrimBlanks(text), "oip");
  return OkStatus();
}

// 0 means the number of cores to TorchServe, and half of them here.
Status SetThreadCount(ServerConfig& config, std::string_view text) {
  HEADRACE_ASSIGN_OR_RETURN(config.http_thread_count, ParseNumber(TrimBlanks(text), 0, 1024));
  return OkStatus();
}

Status SetKeyFailures(ServerConfig& config, std::string_view text) {
  HEADRACE_ASSIGN_OR_RETURN(config.key_failures_per_second,
                            ParseNumber(TrimBlanks(text), 0, 1'000'000));
  return OkStatus();
}

// Of the workers of handlers (worker/own_environment.h).
Status SetInstallRequirements(ServerConfig& config, std::string_view text) {
  config.backend_config["handler"]["install-requirements"] = IsTrue(text) ? "on" : "off";
  return OkStatus();
}

Status SetAllowedHosts(ServerConfig& config, std::string_view text) {
  config.management_allowed_hosts = SplitList(text);
  return OkStatus();
}

constexpr std::string_view kNoJvm = "there is no JVM here";
constexpr std::string_view kNoIpex = "workers use the PyTorch that is installed, as it is";

constexpr std::int64_t kAgeMax = 4'000'000'000;  // milliseconds, 46 days

constexpr TorchServeKey kKeys[] = {
    {"inference_address", SetAddress<&Config::inference_address, 80, 443>},
    {"management_address", SetAddress<&Config::management_address, 8081, 8444>},
    {"metrics_address", SetAddress<&Config::metrics_address, 8082, 8445>},
    {"grpc_inference_address", SetHost<&Config::grpc_inference_address>},
    {"grpc_inference_port", SetNumber<&Config::grpc_inference_port, 0, 65535>},
    {"grpc_management_address", SetHost<&Config::grpc_management_address>},
    {"grpc_management_port", SetNumber<&Config::grpc_management_port, 0, 65535>},
    {"grpc_inference_max_connection_age_ms",
     SetNumber<&Config::grpc_inference_max_connection_age_ms, 0, kAgeMax>},
    {"grpc_inference_max_connection_age_grace_ms",
     SetNumber<&Config::grpc_inference_max_connection_age_grace_ms, 0, kAgeMax>},
    {"grpc_management_max_connection_age_ms",
     SetNumber<&Config::grpc_management_max_connection_age_ms, 0, kAgeMax>},
    {"grpc_management_max_connection_age_grace_ms",
     SetNumber<&Config::grpc_management_max_connection_age_grace_ms, 0, kAgeMax>},
    {"enable_grpc_ssl", SetBool<&Config::enable_grpc_ssl>},
    {"keystore", SetText<&Config::keystore>},
    {"keystore_pass", SetText<&Config::keystore_pass>},
    {"keystore_type", SetText<&Config::keystore_type>},
    {"certificate_file", SetText<&Config::certificate_file>},
    {"private_key_file", SetText<&Config::private_key_file>},
    {"insecure_allow_remote", SetBool<&Config::insecure_allow_remote>},

    {"model_store", SetText<&Config::model_store>},
    {"workflow_store", SetText<&Config::workflow_store>},
    {"load_models", SetLoadModels},
    {"models", SetText<&Config::models>},
    {"model_snapshot", SetText<&Config::model_snapshot>},
    {"allowed_urls", SetList<&Config::allowed_urls>},
    {"enable_model_api", SetBool<&Config::enable_model_api>},
    {"disable_token_authorization", SetBool<&Config::disable_token_authorization>},
    {"token_expiration_min", SetTokenExpiration},
    {"key_failures_per_second", SetKeyFailures},
    {"management_allowed_hosts", SetAllowedHosts},
    {"default_workers_per_model", SetNumber<&Config::default_workers_per_model, 0, 10'000>},
    {"default_response_timeout", SetNumber<&Config::default_response_timeout, 0, kSecondsMax>},
    {"default_startup_timeout", SetNumber<&Config::default_startup_timeout, 0, kSecondsMax>},
    {"unregister_model_timeout", SetNumber<&Config::unregister_model_timeout, 0, kSecondsMax>},
    {"job_queue_size", SetNumber<&Config::job_queue_size, 1, 1'000'000>},
    {"number_of_netty_threads", SetThreadCount},
    {"netty_client_threads", nullptr, "workers have no threads of the server's", "0"},
    {"autoscale", SetBool<&Config::autoscale>},
    {"max_workers_per_model", SetNumber<&Config::max_workers_per_model, 1, 65'536>},
    {"max_model_versions", SetNumber<&Config::max_model_versions, 1, 1'000'000>},
    {"number_of_gpu", SetNumber<&Config::number_of_gpu, 0, 1024>},

    {"metrics_mode", SetMetricsMode},
    {"metrics_config", SetText<&Config::metrics_config>},
    {"model_metrics_auto_detect", SetBool<&Config::model_metrics_auto_detect>},
    {"enable_metrics_api", SetBool<&Config::enable_metrics_api>},
    {"disable_system_metrics", SetBool<&Config::disable_system_metrics>},
    {"metric_time_interval", SetNumber<&Config::metric_time_interval, 1, kSecondsMax>},
    {"system_metrics_cmd", nullptr, "the server reads the system's figures itself"},

    {"max_request_size", SetNumber<&Config::max_request_size, 1, 2'147'483'647>},
    {"max_response_size", nullptr,
     "responses come through shared memory and are held by the server's memory budget alone",
     "6553500"},
    {"limit_max_image_pixels", SetBool<&Config::limit_max_image_pixels>},
    {"decode_input_request", SetBool<&Config::decode_input_request>},
    {"cors_allowed_origin", SetText<&Config::cors_allowed_origin>},
    {"cors_allowed_methods", SetText<&Config::cors_allowed_methods>},
    {"cors_allowed_headers", SetText<&Config::cors_allowed_headers>},
    {"default_service_handler", SetText<&Config::default_service_handler>},
    {"service_envelope", SetServiceEnvelope},
    {"ts_open_inference_protocol", SetOpenInferenceProtocol},
    {"ts_header_key_sequence_id", SetText<&Config::ts_header_key_sequence_id>},
    {"ts_header_key_sequence_start", SetText<&Config::ts_header_key_sequence_start>},
    {"ts_header_key_sequence_end", SetText<&Config::ts_header_key_sequence_end>},

    {"install_py_dep_per_model", SetInstallRequirements},
    {"ipex_enable", nullptr, kNoIpex, "false"},
    {"ipex_gpu_enable", nullptr, kNoIpex, "false"},
    {"cpu_launcher_enable", nullptr, "instances are bound to cores by the server itself", "false"},
    {"cpu_launcher_args", nullptr, "instances are bound to cores by the server itself"},
    {"initial_worker_port", SetNumber<&Config::initial_worker_port, 0, 1'000'000>},
    {"initial_distribution_port", nullptr, "there is no torchrun", "29500"},
    {"plugins_path", nullptr, "plug-ins of Java cannot be loaded"},
    {"vmargs", nullptr, kNoJvm},
    {"async_logging", nullptr, "the log is always written by a thread of its own"},
    {"cpp_log_config", nullptr, "there are no C++ workers"},
    {"debug", nullptr, kNoJvm, "false"},
    {"blacklist_env_vars", nullptr, "workers see the server's environment"},
    {"prefer_direct_buffer", nullptr, kNoJvm, "false"},
    {"use_native_io", nullptr, kNoJvm, "true"},
    {"io_ratio", nullptr, kNoJvm, "50"},
    {"version", nullptr, "it is that of the program", "0.12.0"},
    {"model_server_home", nullptr, "the program finds its own parts"},
};

}  // namespace

std::span<const TorchServeKey> TorchServeKeys() { return kKeys; }

const TorchServeKey* FindTorchServeKey(std::string_view name) {
  for (const TorchServeKey& key : kKeys) {
    if (key.name == name) {
      return &key;
    }
  }
  return nullptr;
}

std::string TorchServeEnvironmentName(std::string_view key) {
  if (key == "token_expiration_min") {
    return "TS_TOKEN_EXPIRATION_TIME_MIN";
  }
  if (key == "ts_open_inference_protocol") {
    return "TS_OPEN_INFERENCE_PROTOCOL";
  }
  std::string name = "TS_";
  for (const char c : key) {
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace headrace::server

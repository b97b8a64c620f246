// What a server is to be as a TorchServe, as one plain value (contracts, TorchServe 5).
#ifndef HEADRACE_SERVER_TORCHSERVE_CONFIG_H_
#define HEADRACE_SERVER_TORCHSERVE_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/torchserve_address.h"

namespace headrace::server {

// Filled by torchserve_settings.h, or from the options of `headrace serve`
// (options_torchserve.cc). Names are those of the keys where there is one. Seconds and bytes as in
// TorchServe.
struct TorchServeConfig {
  bool enabled = false;
  // The program `torchserve`: nothing but TorchServe's services listens, and the log has its form.
  bool program = false;
  std::string config_file;  // of `headrace serve`: a config.properties

  // Listeners. Equal addresses are one listener.
  TorchServeAddress inference_address{"http://127.0.0.1:8080", "127.0.0.1", 8080, {}, false};
  TorchServeAddress management_address{"http://127.0.0.1:8081", "127.0.0.1", 8081, {}, false};
  TorchServeAddress metrics_address{"http://127.0.0.1:8082", "127.0.0.1", 8082, {}, false};
  std::string grpc_inference_address = "127.0.0.1";
  std::uint64_t grpc_inference_port = 7070;
  std::string grpc_management_address = "127.0.0.1";
  std::uint64_t grpc_management_port = 7071;
  // 0: none.
  std::uint64_t grpc_inference_max_connection_age_ms = 0;
  std::uint64_t grpc_inference_max_connection_age_grace_ms = 0;
  std::uint64_t grpc_management_max_connection_age_ms = 0;
  std::uint64_t grpc_management_max_connection_age_grace_ms = 0;
  bool enable_grpc_ssl = false;
  std::string certificate_file, private_key_file;  // PEM
  std::string keystore, keystore_pass = "changeit", keystore_type = "PKCS12";
  bool insecure_allow_remote = false;

  // Models.
  std::string model_store, workflow_store;
  std::string temporary_directory;       // TEMP; empty: the system's
  std::vector<std::string> load_models;  // "all", or [name=]file-or-url
  std::string models;                    // JSON: settings by name and version
  std::string model_snapshot;            // JSON; not empty: load_models is not looked at
  std::vector<std::string> allowed_urls;
  bool enable_model_api = false;
  bool autoscale = true;  // models with two numbers of workers
  std::optional<std::int64_t> default_workers_per_model;
  std::int64_t default_response_timeout = 120, default_startup_timeout = 120;
  std::int64_t unregister_model_timeout = 120;
  std::int64_t job_queue_size = 100;
  std::int64_t max_workers_per_model = 1024, max_model_versions = 10'000;  // keys of our own
  std::int64_t initial_worker_port = 9000;    // workers are called by numbers from here on
  std::optional<std::int64_t> number_of_gpu;  // at most so many are used
  std::string default_service_handler, service_envelope;
  bool decode_input_request = true, limit_max_image_pixels = true;

  // Requests.
  std::uint64_t max_request_size = 6'553'500;
  std::string cors_allowed_origin, cors_allowed_methods, cors_allowed_headers;
  bool ts_open_inference_protocol = false;
  std::string ts_header_key_sequence_id = "ts_request_sequence_id";
  std::string ts_header_key_sequence_start = "ts_request_sequence_start";
  std::string ts_header_key_sequence_end = "ts_request_sequence_end";

  // Tokens.
  bool disable_token_authorization = false;
  double token_expiration_min = 60;
  std::string key_file = "key_file.json";

  // Metrics and logs.
  std::string metrics_mode = "prometheus";  // log, prometheus, legacy
  std::string metrics_config;               // a metrics.yaml; empty: the one built in
  bool model_metrics_auto_detect = false;
  bool enable_metrics_api = true;
  bool disable_system_metrics = false;
  std::uint64_t metric_time_interval = 60;
  std::string log_location = "logs", metrics_location = "logs";

  // Snapshots.
  bool snapshots = true;
  // All keys as they were given, which snapshots repeat.
  std::map<std::string, std::string> properties;
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_CONFIG_H_

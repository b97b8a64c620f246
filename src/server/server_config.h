// Everything that can be set about a server, as one plain value.
#ifndef HEADRACE_SERVER_SERVER_CONFIG_H_
#define HEADRACE_SERVER_SERVER_CONFIG_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/instance_placer.h"
#include "engine/resource_pool.h"
#include "repository/model_manager.h"
#include "server/torchserve_config.h"
#include "tracing/trace_settings.h"

namespace headrace::server {

// TLS of one service.
struct TlsFiles {
  bool use = false;
  bool mutual = false;  // `use` with client certificates
  std::string certificate, key, root;
};

// Filled from defaults, the configuration file, the environment and flags (server/options.h says
// what each field means to the user). Sizes are in bytes; durations carry their unit in the name.
struct ServerConfig {
  // Process.
  std::string server_id = "triton";
  std::uint64_t exit_timeout_s = 30;
  std::string run_as_user;

  // Models.
  std::vector<std::string> model_repositories;
  repository::ControlMode control_mode = repository::ControlMode::kNone;
  std::vector<std::string> load_models;
  bool exit_on_error = true;
  bool strict_readiness = true;
  bool disable_auto_complete_config = false;
  std::string model_config_name;
  std::vector<std::string> enable_openvino;  // models; "*" = all that it is for
  std::vector<std::string> enable_tensorrt;
  std::string model_variants = "applied";  // "best", "off", or a name (repository/variants.h)
  std::uint64_t model_load_thread_count = 4;
  std::uint64_t model_load_retry_count = 0;
  bool model_namespacing = false;
  std::uint64_t repository_poll_s = 15;
  bool allow_code_override = false;
  bool allow_links_outside_repository = false;
  std::string backend_directory;       // empty: beside the program
  std::string python_directory;        // of the runtime of Python models; empty: beside the program
  std::string debug_model;             // whose first worker keeps the terminal; empty: none
  std::string host_library_directory;  // of libtritonserver.so; empty: beside the program
  std::map<std::string, std::map<std::string, std::string>>
      backend_config;  // backend ("" = all) -> key -> value

  // Services, whatever the transport (options_service.cc).
  std::string http_header_forward_pattern;
  std::string grpc_header_forward_pattern;
  bool grpc_reflection = false;
  std::vector<std::string> http_restricted_apis;  // rules of frontend::AccessPolicy
  std::vector<std::string> grpc_restricted_protocols;
  std::uint64_t key_failures_per_second = 20;         // of one host; 0: no limit
  std::vector<std::string> management_allowed_hosts;  // frontend::BrowserRules
  std::uint64_t grpc_stream_request_count_max = 1024;
  std::uint64_t grpc_stream_unsent_byte_size_max = std::uint64_t{64} << 20;
  std::uint64_t http_stream_unsent_byte_size_max = std::uint64_t{64} << 20;
  std::string grpc_response_compression = "none";  // a level

  // Placement.
  engine::HostPolicies host_policies;
  bool pin_instances = true;

  // HTTP.
  bool allow_http = true;
  std::string http_address = "127.0.0.1,::1";
  std::uint64_t http_port = 8000;
  bool reuse_http_port = false;
  std::uint64_t http_thread_count = 0;  // 0: half of the cores
  bool http_thread_pinning = false;
  std::uint64_t http_input_byte_size_max = std::uint64_t{64} << 20;
  std::uint64_t http_connection_count_max = 20'000;
  std::uint64_t http_header_timeout_ms = 10'000;
  std::uint64_t http_body_idle_timeout_ms = 15'000;
  std::uint64_t http_write_idle_timeout_ms = 30'000;
  std::uint64_t http_keep_alive_timeout_ms = 75'000;
  std::uint64_t http_requests_per_connection_max = 1000;
  TlsFiles http_tls;
  std::uint64_t tls_reload_ms = 10'000;
  bool insecure_allow_remote = false;

  // HTTP/2.
  std::uint64_t http2_concurrent_streams_max = 100;
  std::uint64_t http2_header_list_byte_size_max = 16 * 1024;
  std::uint64_t http2_stream_window_byte_size = std::uint64_t{1} << 20;
  std::uint64_t http2_connection_window_byte_size = std::uint64_t{16} << 20;
  std::uint64_t http2_idle_timeout_ms = 300'000;

  // gRPC.
  bool allow_grpc = true;
  std::string grpc_address;  // empty: http_address
  std::uint64_t grpc_port = 8001;
  bool reuse_grpc_port = false;
  TlsFiles grpc_tls;
  std::uint64_t grpc_message_byte_size_max = std::uint64_t{64} << 20;
  std::uint64_t grpc_keepalive_time_ms = 7'200'000;
  std::uint64_t grpc_keepalive_timeout_ms = 20'000;
  bool grpc_keepalive_permit_without_calls = false;
  std::uint64_t grpc_pings_without_data_max = 2;
  std::uint64_t grpc_received_ping_interval_min_ms = 300'000;
  std::uint64_t grpc_ping_strikes_max = 2;
  std::uint64_t grpc_connection_age_max_ms = 3'600'000;  // 0: none
  std::uint64_t grpc_connection_age_grace_ms = 0;        // 0: none

  bool allow_client_shm = false;
  std::string client_shm_key_prefix;  // empty: any
  std::uint64_t client_shm_region_count_max = 1024;

  // Limits.
  std::uint64_t memory_budget_byte_size = std::uint64_t{4} << 30;
  std::uint64_t memory_idle_byte_size = std::uint64_t{256} << 20;
  std::uint64_t queue_request_count_max = 65'536;
  std::uint64_t queue_byte_size_max = std::uint64_t{1} << 30;
  std::uint64_t priority_passed_over_max = 9;
  bool fair_queues = true;
  std::string client_header;  // empty: clients are told apart by address
  std::uint64_t batch_retry_credit = 64;
  std::uint64_t hold_until_count = 0;          // TRITONSERVER_DELAY_SCHEDULER, for tests
  std::uint64_t hold_until_backlog_count = 0;  // TRITONSERVER_BACKLOG_DELAY_SCHEDULER, for tests
  std::uint64_t override_byte_size_max = std::uint64_t{4} << 30;
  // Of archives of models (repository/archive_limits.h).
  std::uint64_t archive_byte_size_max = std::uint64_t{16} << 30;
  std::uint64_t archive_entry_byte_size_max = std::uint64_t{4} << 30;
  std::uint64_t archive_entry_count_max = 10'000;

  // Native handlers (handler/cpu_pool.h).
  bool native_handlers = true;
  std::uint64_t cpu_thread_count = 0;  // 0: one for each core
  std::uint64_t cpu_waiting_max = 4096;
  std::uint64_t image_pixel_count_max = 178'956'970;
  std::uint64_t image_memory_byte_size_max = std::uint64_t{1} << 30;

  // What models share.
  std::string cache_name;  // empty: no --cache-config
  std::map<std::string, std::string> cache_settings;
  std::string cache_directory;      // empty: caches/ beside the program
  std::string repoagent_directory;  // empty: repoagents/ beside the program
  std::uint64_t response_cache_byte_size = 0;
  std::uint64_t cache_thread_count = 4;
  std::uint64_t cache_waiting_max = 1024;
  bool rate_limit = false;
  std::vector<engine::ResourceLimit> rate_limit_resources;

  // GPUs.
  double compute_capability_min = 6.0;
  std::uint64_t pinned_memory_pool_byte_size = std::uint64_t{256} << 20;
  std::map<int, std::uint64_t> cuda_memory_pool_byte_sizes;  // by GPU; others have 64 MiB

  // Metrics.
  bool allow_metrics = true;
  bool allow_cpu_metrics = true;
  bool allow_gpu_metrics = true;
  std::uint64_t metrics_interval_ms = 2000;
  std::string metrics_address;  // empty: http_address
  std::uint64_t metrics_port = 8002;
  bool metrics_use_ssl = false;

  LogOptions log;

  // Tracing.
  tracing::TraceSettings trace;
  tracing::TraceTarget trace_target;
  std::vector<std::string> trace_config;  // as given, to be shown

  TorchServeConfig torchserve;
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_SERVER_CONFIG_H_

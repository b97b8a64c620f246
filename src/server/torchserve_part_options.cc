#include "server/torchserve_part_options.h"

#include <utility>

#include "store/configured_models.h"
#include "store/url_policy.h"
#include "torchserve/metrics_catalog.h"

namespace headrace::server {

Result<store::ModelStoreOptions> StoreOptionsOf(const TorchServeConfig& config,
                                                store::ModelStoreOptions options) {
  options.directory = config.model_store;
  options.temporary_directory = config.temporary_directory;
  options.response_timeout_s = config.default_response_timeout;
  options.startup_timeout_s = config.default_startup_timeout;
  options.unregister_timeout_s = config.unregister_model_timeout;
  options.job_queue_size = config.job_queue_size;
  options.worker_count_max = config.max_workers_per_model;
  options.version_count_max = static_cast<std::size_t>(config.max_model_versions);
  options.worker_count_of_registered = config.default_workers_per_model.value_or(0);
  // 0 means to TorchServe that it chooses.
  if (config.default_workers_per_model.value_or(0) > 0) {
    options.worker_count_at_start = config.default_workers_per_model;
  }
  options.service_envelope = config.service_envelope;
  options.service_handler = config.default_service_handler;
  options.decode_input_request = config.decode_input_request;
  options.limit_max_image_pixels = config.limit_max_image_pixels;
  if (config.number_of_gpu &&
      options.gpu_ids.size() > static_cast<std::size_t>(*config.number_of_gpu)) {
    options.gpu_ids.resize(static_cast<std::size_t>(*config.number_of_gpu));
  }
  options.worker_id_first = config.initial_worker_port;
  if (!config.models.empty()) {
    auto configured = store::ParseConfiguredModels(config.models);
    if (!configured.ok()) {
      return configured.status();
    }
    options.configured = *std::move(configured);
  }
  return options;
}

store::WorkflowsOptions WorkflowsOptionsOf(const TorchServeConfig& config,
                                           const repository::ArchiveLimits& archives) {
  store::WorkflowsOptions options;
  options.directory = config.workflow_store;
  options.temporary_directory = config.temporary_directory;
  options.archives = archives;
  return options;
}

Result<std::unique_ptr<store::UrlFetcher>> MakeFetcher(const TorchServeConfig& config) {
  auto policy = store::UrlPolicy::Make(config.allowed_urls);
  if (!policy.ok()) {
    return policy.status().WithPrefix("allowed_urls: ");
  }
  store::UrlFetcherOptions options;
  options.s3 = store::S3Access::FromEnvironment();
  return std::make_unique<store::UrlFetcher>(*std::move(policy), std::move(options));
}

torchserve::ApiOptions ApiOptionsOf(const TorchServeConfig& config, net::HttpHandler& v2_http,
                                    net::GrpcHandler& v2_grpc) {
  torchserve::ApiOptions options;
  options.v2_http = &v2_http;
  options.v2_grpc = &v2_grpc;
  options.request_byte_size_max = config.max_request_size;
  options.open_inference_protocol = config.ts_open_inference_protocol;
  options.metrics_api = config.enable_metrics_api;
  return options;
}

torchserve::AccessOptions AccessOptionsOf(const ServerConfig& server) {
  const TorchServeConfig& config = server.torchserve;
  torchserve::AccessOptions options;
  options.tokens = !config.disable_token_authorization;
  options.key_file = config.key_file;
  options.token_lifetime =
      static_cast<Nanos>(config.token_expiration_min * 60 * static_cast<double>(kSecond));
  options.model_api = config.enable_model_api;
  options.cors = {.allowed_origin = config.cors_allowed_origin,
                  .allowed_methods = config.cors_allowed_methods,
                  .allowed_headers = config.cors_allowed_headers};
  // No browser reaches a Unix socket.
  options.browsers = {
      .loopback = config.management_address.socket.empty() && config.management_address.loopback(),
      .allowed_hosts = server.management_allowed_hosts,
      .allowed_origin = config.cors_allowed_origin};
  return options;
}

Result<torchserve::MetricsOptions> MetricsOptionsOf(const TorchServeConfig& config) {
  torchserve::MetricsOptions options;
  options.mode = config.metrics_mode == "log"      ? torchserve::MetricsMode::kLog
                 : config.metrics_mode == "legacy" ? torchserve::MetricsMode::kLegacy
                                                   : torchserve::MetricsMode::kPrometheus;
  options.model_metrics_auto_detect = config.model_metrics_auto_detect;
  if (!config.metrics_config.empty()) {
    auto catalog = torchserve::MetricsCatalog::Read(config.metrics_config);
    if (!catalog.ok()) {
      return catalog.status().WithPrefix("metrics_config: ");
    }
    options.catalog = *std::move(catalog);
  }
  return options;
}

}  // namespace headrace::server

#include "server/torchserve_side.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "store/model_store.h"
#include "store/url_fetcher.h"
#include "store/workflows.h"
#include "torchserve/access.h"
#include "torchserve/apis.h"
#include "torchserve/host_metrics.h"
#include "torchserve/loaded_workers.h"
#include "torchserve/log_lines.h"
#include "torchserve/metrics.h"
#include "torchserve/metrics_catalog.h"

namespace headrace::server {
namespace {

store::ModelStoreOptions StoreOptions(const TorchServeConfig& config,
                                      store::ModelStoreOptions options) {
  options.directory = config.model_store;
  options.temporary_directory = config.temporary_directory;
  options.response_timeout_s = config.default_response_timeout;
  options.startup_timeout_s = config.default_startup_timeout;
  options.unregister_timeout_s = config.unregister_model_timeout;
  options.job_queue_size = config.job_queue_size;
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
  return options;
}

store::UrlFetcherOptions FetcherOptions() {
  store::UrlFetcherOptions options;
  options.s3 = store::S3Access::FromEnvironment();
  return options;
}

store::WorkflowsOptions WorkflowsOptions(const TorchServeConfig& config,
                                         const store::ModelStoreOptions& store) {
  return {.directory = config.workflow_store,
          .temporary_directory = config.temporary_directory,
          .archives = store.archives};
}

torchserve::ApiOptions ApiOptions(const TorchServeConfig& config) {
  torchserve::ApiOptions options;
  options.request_byte_size_max = config.max_request_size;
  options.open_inference_protocol = config.ts_open_inference_protocol;
  options.metrics_api = config.enable_metrics_api;
  return options;
}

torchserve::AccessOptions AccessOptions(const TorchServeConfig& config) {
  torchserve::AccessOptions options;
  options.tokens = !config.disable_token_authorization;
  options.key_file = config.key_file;
  options.token_lifetime =
      static_cast<Nanos>(config.token_expiration_min * 60 * static_cast<double>(kSecond));
  options.model_api = config.enable_model_api;
  options.cors = {.allowed_origin = config.cors_allowed_origin,
                  .allowed_methods = config.cors_allowed_methods,
                  .allowed_headers = config.cors_allowed_headers};
  return options;
}

Result<torchserve::MetricsOptions> MetricsOptions(const TorchServeConfig& config) {
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

Nanos MetricInterval(const TorchServeConfig& config) {
  return static_cast<Nanos>(std::clamp<std::uint64_t>(config.metric_time_interval, 1, 86'400)) *
         kSecond;
}

// "[name=]archive". A '=' in an URL's query is none of the name's.
store::ModelStore::StartModel StartModelOf(const std::string& text) {
  store::ModelStore::StartModel model;
  model.registration.at_start = true;
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos &&
      text.substr(0, equals).find_first_of("/:?") == std::string::npos) {
    model.registration.name = text.substr(0, equals);
    model.registration.url = text.substr(equals + 1);
  } else {
    model.registration.url = text;
  }
  return model;
}

}  // namespace

// Members in the order in which they are made; they end in the reverse order.
class TorchServeSide::Impl {
 public:
  Impl(const ServerConfig& config, store::ModelStoreOptions options, const Parts& parts,
       std::unique_ptr<torchserve::Access> access, torchserve::MetricsOptions metrics,
       store::UrlPolicy allowed_urls)
      : config_(config.torchserve),
        access_(std::move(access)),
        metrics_(std::move(metrics), parts.registry, parts.log, parts.clock),
        fetcher_(std::move(allowed_urls), FetcherOptions()),
        store_(StoreOptions(config_, std::move(options)), parts.backends, parts.registry,
               parts.pool, &fetcher_, parts.clock),
        workflows_(WorkflowsOptions(config_, store_.options()), store_, parts.registry, parts.pool,
                   &fetcher_, parts.clock),
        apis_(ApiOptions(config_), parts.front_end, store_, workflows_, *access_, metrics_) {
    metrics_.SetOwnPage([&front_end = parts.front_end] { return front_end.MetricsPage(); });
    metrics_.SetWorkers([this] { return torchserve::LoadedWorkersOf(store_); });
    if (!config_.disable_system_metrics) {
      host_metrics_.emplace(torchserve::HostMetricsOptions{.interval = MetricInterval(config_)},
                            metrics_);
    }
  }

  torchserve::Apis& apis() { return apis_; }
  worker::MetricLineSink& metric_lines() { return metrics_; }

  Status LoadModels() {
    std::vector<store::ModelStore::StartModel> models;
    const bool all =
        std::any_of(config_.load_models.begin(), config_.load_models.end(),
                    [](const std::string& model) { return EqualsIgnoringCase(model, "all"); });
    if (all) {
      HEADRACE_ASSIGN_OR_RETURN(const std::vector<std::string> archives, store_.ArchivesInStore());
      for (const std::string& archive : archives) {
        store::ModelStore::StartModel& model = models.emplace_back();
        model.registration.url = archive;
        model.registration.at_start = true;
      }
    } else {
      std::transform(config_.load_models.begin(), config_.load_models.end(),
                     std::back_inserter(models), StartModelOf);
    }
    store_.LoadAtStart(models);
    return OkStatus();
  }

  bool Stop(Nanos timeout) {
    fetcher_.Stop();
    // Both have the whole time: what the first waits for are requests to models of the second.
    const bool workflows_ended = workflows_.Shutdown(timeout);
    return store_.Shutdown(timeout) && workflows_ended;
  }

 private:
  const TorchServeConfig& config_;
  const std::unique_ptr<torchserve::Access> access_;
  torchserve::Metrics metrics_;
  store::UrlFetcher fetcher_;
  store::ModelStore store_;
  store::Workflows workflows_;
  torchserve::Apis apis_;
  std::optional<torchserve::HostMetrics> host_metrics_;
};

Result<std::unique_ptr<TorchServeSide>> TorchServeSide::Create(const ServerConfig& config,
                                                               store::ModelStoreOptions store,
                                                               Parts parts) {
  HEADRACE_ASSIGN_OR_RETURN(
      auto access, torchserve::Access::Create(AccessOptions(config.torchserve), parts.clock));
  HEADRACE_ASSIGN_OR_RETURN(torchserve::MetricsOptions metrics, MetricsOptions(config.torchserve));
  HEADRACE_ASSIGN_OR_RETURN(store::UrlPolicy allowed_urls,
                            store::UrlPolicy::Make(config.torchserve.allowed_urls));
  auto impl = std::make_unique<Impl>(config, std::move(store), parts, std::move(access),
                                     std::move(metrics), std::move(allowed_urls));
  return std::unique_ptr<TorchServeSide>(new TorchServeSide(std::move(impl)));
}

TorchServeSide::TorchServeSide(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TorchServeSide::~TorchServeSide() = default;

torchserve::Apis& TorchServeSide::apis() { return impl_->apis(); }
worker::MetricLineSink& TorchServeSide::metric_lines() { return impl_->metric_lines(); }
Status TorchServeSide::LoadModels() { return impl_->LoadModels(); }
bool TorchServeSide::Stop(Nanos timeout) { return impl_->Stop(timeout); }

}  // namespace headrace::server

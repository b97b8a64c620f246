#include "server/torchserve_side.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "frontend/call.h"
#include "store/configured_models.h"
#include "store/model_store.h"
#include "store/snapshot.h"
#include "torchserve/access.h"
#include "torchserve/apis.h"
#include "torchserve/host_metrics.h"
#include "torchserve/loaded_workers.h"
#include "torchserve/log_lines.h"
#include "torchserve/metrics.h"
#include "torchserve/metrics_catalog.h"

namespace headrace::store {
class Workflows {};
}  // namespace headrace::store

namespace headrace::server {
namespace {

store::ModelStoreOptions StoreOptions(const TorchServeConfig& config,
                                      store::ModelStoreOptions options,
                                      frontend::FrontEnd& front_end) {
  options.registry_changed = [&front_end] { front_end.services().loops.RefreshAll(); };
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
  options.worker_id_first = config.initial_worker_port;
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
       std::unique_ptr<torchserve::Access> access, torchserve::MetricsOptions metrics)
      : config_(config.torchserve),
        access_(std::move(access)),
        metrics_(std::move(metrics), parts.registry, parts.log, parts.clock),
        snapshots_(config_.log_location + "/config",
                   {config_.properties.begin(), config_.properties.end()}),
        store_(StoreOptions(config_, std::move(options), parts.front_end), parts.backends,
               parts.registry, parts.pool, nullptr, parts.clock),
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
    store_.OnChange([this] { WriteSnapshot(store::SnapshotOccasion::kChange); });
    HEADRACE_ASSIGN_OR_RETURN(const std::vector<store::ModelStore::StartModel> models,
                              StartModels());
    store_.LoadAtStart(models);
    WriteSnapshot(store::SnapshotOccasion::kStartup);
    return OkStatus();
  }

  bool Stop(Nanos timeout) {
    WriteSnapshot(store::SnapshotOccasion::kShutdown);
    return store_.Shutdown(timeout);
  }

 private:
  Result<std::vector<store::ModelStore::StartModel>> StartModels() const {
    std::vector<store::ModelStore::StartModel> models;
    if (!config_.model_snapshot.empty()) {
      HEADRACE_ASSIGN_OR_RETURN(models, store::ParseSnapshot(config_.model_snapshot));
      const std::vector<std::string> missing = store::MissingArchives(models, config_.model_store);
      if (!missing.empty()) {
        return InvalidArgument(
            "model_snapshot: the archive '{}' is not in the model store '{}'; put it there, or "
            "start without the snapshot",
            EscapeForLog(missing.front()), EscapeForLog(config_.model_store));
      }
      return models;
    }
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
    return models;
  }

  void WriteSnapshot(store::SnapshotOccasion occasion) {
    if (!config_.snapshots) {
      return;
    }
    if (const Status status = snapshots_.Write(occasion, store_); !status.ok()) {
      HEADRACE_LOG_WARNING("{}", status.message());
    }
  }

  const TorchServeConfig& config_;
  const std::unique_ptr<torchserve::Access> access_;
  torchserve::Metrics metrics_;
  store::SnapshotWriter snapshots_;
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
  if (!config.torchserve.models.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(store.configured,
                              store::ParseConfiguredModels(config.torchserve.models));
  }
  auto impl = std::make_unique<Impl>(config, std::move(store), parts, std::move(access),
                                     std::move(metrics));
  return std::unique_ptr<TorchServeSide>(new TorchServeSide(std::move(impl)));
}

TorchServeSide::TorchServeSide(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TorchServeSide::~TorchServeSide() = default;

torchserve::Apis& TorchServeSide::apis() { return impl_->apis(); }
worker::MetricLineSink& TorchServeSide::metric_lines() { return impl_->metric_lines(); }
Status TorchServeSide::LoadModels() { return impl_->LoadModels(); }
bool TorchServeSide::Stop(Nanos timeout) { return impl_->Stop(timeout); }

}  // namespace headrace::server

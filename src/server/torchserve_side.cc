#include "server/torchserve_side.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "frontend/call.h"
#include "scaling/autoscaler.h"
#include "server/torchserve_part_options.h"
#include "server/torchserve_start_models.h"
#include "store/model_store.h"
#include "store/snapshot.h"
#include "store/store_scaling.h"
#include "store/url_fetcher.h"
#include "store/worker_metrics.h"
#include "store/workflows.h"
#include "torchserve/access.h"
#include "torchserve/apis.h"
#include "torchserve/host_metrics.h"
#include "torchserve/loaded_workers.h"
#include "torchserve/log_lines.h"
#include "torchserve/metrics.h"

namespace headrace::server {
namespace {

Nanos MetricInterval(const TorchServeConfig& config) {
  return static_cast<Nanos>(std::clamp<std::uint64_t>(config.metric_time_interval, 1, 86'400)) *
         kSecond;
}

store::SnapshotWriter::Properties PropertiesOf(const TorchServeConfig& config) {
  return {config.properties.begin(), config.properties.end()};
}

}  // namespace

// Members in the order in which they are made; they end in the reverse order.
class TorchServeSide::Impl {
 public:
  // What was made of the configuration, and may have failed.
  struct Made {
    store::ModelStoreOptions store;
    torchserve::MetricsOptions metrics;
    std::unique_ptr<store::UrlFetcher> fetcher;
    std::unique_ptr<torchserve::Access> access;
  };

  Impl(const TorchServeConfig& config, Made made, const Parts& parts)
      : config_(config),
        access_(std::move(made.access)),
        fetcher_(std::move(made.fetcher)),
        metrics_(std::move(made.metrics), parts.registry, parts.log, parts.clock),
        store_(made.store, parts.backends, parts.registry, parts.pool, fetcher_.get(), parts.clock),
        workflows_(WorkflowsOptionsOf(config_, made.store.archives), store_, parts.registry,
                   parts.pool, fetcher_.get(), parts.clock),
        apis_(ApiOptionsOf(config_, parts.v2_http, parts.v2_grpc), parts.front_end, store_,
              workflows_, *access_, metrics_),
        snapshots_(config_.log_location + "/config", PropertiesOf(config_)),
        clock_(parts.clock) {
    metrics_.SetOwnPage([&front_end = parts.front_end] { return front_end.MetricsPage(); });
    parts.front_end.AddMetricSource(worker_metrics_);
    metrics_.SetWorkers([this] { return torchserve::LoadedWorkersOf(store_); });
    if (config_.autoscale) {
      autoscaler_.emplace(scaling::AutoscalerOptions(), scaling_, clock_);
    }
    if (!config_.disable_system_metrics) {
      host_metrics_.emplace(
          torchserve::HostMetricsOptions{.interval = MetricInterval(config_), .gpus = parts.gpus},
          metrics_);
    }
  }

  torchserve::Apis& apis() { return apis_; }
  worker::MetricLineSink& metric_lines() { return metrics_; }

  Status LoadModels() {
    HEADRACE_ASSIGN_OR_RETURN(const auto models, StartModels(config_, store_));
    store_.OnChange([this] {
      if (loaded_) {
        WriteSnapshot(store::SnapshotOccasion::kChange);
      }
    });
    store_.LoadAtStart(models);
    loaded_ = true;
    WriteSnapshot(store::SnapshotOccasion::kStartup);
    return OkStatus();
  }

  void BeginStop() {
    autoscaler_.reset();
    fetcher_->Stop();
  }

  bool Stop(Nanos timeout) {
    const Nanos end = clock_.Now() + timeout;
    const auto left = [&] { return std::max<Nanos>(0, end - clock_.Now()); };
    // Before the models go: they are what it shows. None while they are still being loaded.
    if (loaded_.exchange(false)) {
      WriteSnapshot(store::SnapshotOccasion::kShutdown);
    }
    BeginStop();
    const bool clean = workflows_.Shutdown(left());
    return store_.Shutdown(left()) && clean;
  }

 private:
  void WriteSnapshot(store::SnapshotOccasion occasion) {
    if (!config_.snapshots) {
      return;
    }
    if (const Status status = snapshots_.Write(occasion, store_); !status.ok()) {
      HEADRACE_LOG_WARNING("no snapshot: {}", status.message());
    }
  }

  const TorchServeConfig& config_;
  const std::unique_ptr<torchserve::Access> access_;
  const std::unique_ptr<store::UrlFetcher> fetcher_;
  torchserve::Metrics metrics_;
  store::ModelStore store_;
  store::Workflows workflows_;
  torchserve::Apis apis_;
  store::SnapshotWriter snapshots_;
  const Clock& clock_;
  std::atomic<bool> loaded_{false};  // from here on changes are kept
  store::ModelStoreScaling scaling_{store_};
  std::optional<scaling::Autoscaler> autoscaler_;
  const store::WorkerMetrics worker_metrics_{store_};
  std::optional<torchserve::HostMetrics> host_metrics_;
};

Result<std::unique_ptr<TorchServeSide>> TorchServeSide::Create(const ServerConfig& config,
                                                               store::ModelStoreOptions store,
                                                               Parts parts) {
  const TorchServeConfig& torchserve = config.torchserve;
  Impl::Made made;
  HEADRACE_ASSIGN_OR_RETURN(made.store, StoreOptionsOf(torchserve, std::move(store)));
  made.store.registry_changed = [&front_end = parts.front_end] {
    front_end.services().loops.RefreshAll();
  };
  HEADRACE_ASSIGN_OR_RETURN(made.metrics, MetricsOptionsOf(torchserve));
  HEADRACE_ASSIGN_OR_RETURN(made.fetcher, MakeFetcher(torchserve));
  HEADRACE_ASSIGN_OR_RETURN(made.access, torchserve::Access::Create(AccessOptionsOf(config),
                                                                    parts.failures, parts.clock));
  auto impl = std::make_unique<Impl>(torchserve, std::move(made), parts);
  return std::unique_ptr<TorchServeSide>(new TorchServeSide(std::move(impl)));
}

TorchServeSide::TorchServeSide(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TorchServeSide::~TorchServeSide() = default;

torchserve::Apis& TorchServeSide::apis() { return impl_->apis(); }
worker::MetricLineSink& TorchServeSide::metric_lines() { return impl_->metric_lines(); }
Status TorchServeSide::LoadModels() { return impl_->LoadModels(); }
void TorchServeSide::BeginStop() { impl_->BeginStop(); }
bool TorchServeSide::Stop(Nanos timeout) { return impl_->Stop(timeout); }

}  // namespace headrace::server

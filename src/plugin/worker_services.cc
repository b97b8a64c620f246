#include "plugin/worker_services.h"

#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "plugin/custom_metrics.h"

namespace headrace::plugin {
namespace {

// Series go before their families.
class Metrics final : public worker::WorkerMetrics {
 public:
  ~Metrics() override {
    for (const auto& [id, series] : series_) {
      registry_.DeleteMetric(series);
    }
    for (const auto& [id, family] : families_) {
      if (const Status status = registry_.DeleteFamily(family); !status.ok()) {
        HEADRACE_LOG_ERROR("metrics of a worker that has ended: {}", status.message());
      }
    }
  }

  Status NewFamily(std::uint64_t id, const std::string& kind, std::string name,
                   std::string description) override {
    HEADRACE_RETURN_IF_ERROR(CheckNew(id));
    const auto number = kind == "COUNTER" ? TRITONSERVER_METRIC_KIND_COUNTER
                        : kind == "GAUGE" ? TRITONSERVER_METRIC_KIND_GAUGE
                                          : TRITONSERVER_METRIC_KIND_HISTOGRAM;
    if (number == TRITONSERVER_METRIC_KIND_HISTOGRAM && kind != "HISTOGRAM") {
      return InvalidArgument("there is no kind '{}' of metrics", kind);
    }
    HEADRACE_ASSIGN_OR_RETURN(families_[id],
                              registry_.NewFamily(number, std::move(name), std::move(description)));
    return OkStatus();
  }

  Status DropFamily(std::uint64_t id) override {
    const auto found = families_.find(id);
    if (found == families_.end()) {
      return InvalidArgument("there is no metric family of number {}", id);
    }
    HEADRACE_RETURN_IF_ERROR(registry_.DeleteFamily(found->second));
    families_.erase(found);
    return OkStatus();
  }

  Status NewSeries(std::uint64_t id, std::uint64_t family,
                   std::vector<std::pair<std::string, std::string>> labels,
                   const std::vector<double>& buckets) override {
    HEADRACE_RETURN_IF_ERROR(CheckNew(id));
    const auto found = families_.find(family);
    if (found == families_.end()) {
      return InvalidArgument("there is no metric family of number {}", family);
    }
    telemetry::Labels converted(std::make_move_iterator(labels.begin()),
                                std::make_move_iterator(labels.end()));
    HEADRACE_ASSIGN_OR_RETURN(series_[id],
                              registry_.NewMetric(found->second, std::move(converted), buckets));
    return OkStatus();
  }

  Status DropSeries(std::uint64_t id) override {
    HEADRACE_ASSIGN_OR_RETURN(TRITONSERVER_Metric * series, Find(id));
    registry_.DeleteMetric(series);
    series_.erase(id);
    return OkStatus();
  }

  Status Increment(std::uint64_t id, double value) override {
    HEADRACE_ASSIGN_OR_RETURN(const TRITONSERVER_Metric* series, Find(id));
    return registry_.Increment(*series, value);
  }
  Status Set(std::uint64_t id, double value) override {
    HEADRACE_ASSIGN_OR_RETURN(const TRITONSERVER_Metric* series, Find(id));
    return registry_.Set(*series, value);
  }
  Status Observe(std::uint64_t id, double value) override {
    HEADRACE_ASSIGN_OR_RETURN(const TRITONSERVER_Metric* series, Find(id));
    return registry_.Observe(*series, value);
  }
  Result<double> Value(std::uint64_t id) const override {
    HEADRACE_ASSIGN_OR_RETURN(const TRITONSERVER_Metric* series, Find(id));
    return registry_.Value(*series);
  }

 private:
  Status CheckNew(std::uint64_t id) const {
    if (families_.count(id) != 0 || series_.count(id) != 0) {
      return InvalidArgument("the number {} of a metric is in use", id);
    }
    if (families_.size() + series_.size() >= kCountMax) {
      return Unavailable("the model has {} metrics, more are not allowed", kCountMax);
    }
    return OkStatus();
  }
  Result<TRITONSERVER_Metric*> Find(std::uint64_t id) const {
    const auto found = series_.find(id);
    if (found == series_.end()) {
      return InvalidArgument("there is no metric of number {}", id);
    }
    return found->second;
  }

  CustomMetrics& registry_ = CustomMetrics::OfProcess();
  std::unordered_map<std::uint64_t, TRITONSERVER_MetricFamily*> families_;
  std::unordered_map<std::uint64_t, TRITONSERVER_Metric*> series_;
};

}  // namespace

Result<engine::ModelHandle> WorkerServices::FindModel(const std::string& name,
                                                      std::optional<std::int64_t> version) {
  return control_->registry().Load()->Lookup(name, version);
}

Status WorkerServices::Load(const std::string& name, std::string config_json,
                            std::map<std::string, std::string> files) {
  return control_->Load(name, std::move(config_json), std::move(files));
}

Status WorkerServices::Unload(const std::string& name, bool unload_dependents) {
  return control_->Unload(name, unload_dependents);
}

std::unique_ptr<worker::WorkerMetrics> WorkerServices::NewMetrics() {
  return std::make_unique<Metrics>();
}

}  // namespace headrace::plugin

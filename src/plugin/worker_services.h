// What Python models may ask of the server (worker/host_services.h), over the same doors as the C
// interface.
#ifndef HEADRACE_PLUGIN_WORKER_SERVICES_H_
#define HEADRACE_PLUGIN_WORKER_SERVICES_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "plugin/server_control.h"
#include "worker/host_services.h"

namespace headrace::plugin {

// Thread-safe.
class WorkerServices final : public worker::HostServices {
 public:
  // To be called before the first model loads; borrowed.
  void SetServer(ServerControl& control) { control_ = &control; }

  // The same; borrowed, and outlives the workers.
  void SetMetricLines(worker::MetricLineSink& lines) { metric_lines_ = &lines; }

  Result<engine::ModelHandle> FindModel(const std::string& name,
                                        std::optional<std::int64_t> version) override;
  Status Load(const std::string& name, std::string config_json,
              std::map<std::string, std::string> files) override;
  Status Unload(const std::string& name, bool unload_dependents) override;
  // In the registry of the process, with those of libraries.
  std::unique_ptr<worker::WorkerMetrics> NewMetrics() override;
  worker::MetricLineSink* metric_lines() override { return metric_lines_; }

 private:
  ServerControl* control_ = nullptr;
  worker::MetricLineSink* metric_lines_ = nullptr;
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_WORKER_SERVICES_H_

// The models of a TorchServe, given or local, as a suite measures them.
#ifndef HEADRACE_BENCH_SUITE_TORCHSERVE_TARGET_H_
#define HEADRACE_BENCH_SUITE_TORCHSERVE_TARGET_H_

#include <functional>
#include <memory>
#include <string>

#include "bench/local_server.h"
#include "bench/metric_columns.h"
#include "bench/suite_run.h"
#include "bench/suite_v2_target.h"
#include "load/torchserve_control.h"
#include "load/workload.h"

namespace headrace::bench {

// Each configuration is a registration of its own; only one model is registered at a time. A server
// of our own runs `headrace torchserve` over an empty model store; its metric lines give the
// columns of ab_report.csv that a client cannot know. A change of the device starts it anew.
class SuiteTorchServeTarget final : public SuiteTarget {
 public:
  static Result<std::unique_ptr<SuiteTarget>> Open(const SuiteSpec& spec,
                                                   const SuiteTargetOptions& options);
  Status Apply(const SuitePoint& point) override;
  Result<PointResult> Measure(const SuitePoint& point,
                              const std::function<void(const Progress&)>& progress) override;
  Status Restore() override;

 private:
  SuiteTorchServeTarget(const SuiteSpec& spec, const SuiteTargetOptions& options)
      : spec_(spec), options_(options) {}
  Status Connect(const std::string& device);
  Status StartServer(const std::string& device);
  Status Unregister();
  Status MakeSession(const SuitePoint& point);

  const SuiteSpec& spec_;
  const SuiteTargetOptions options_;
  MetricLineCollector lines_;  // outlives server_, whose thread fills it
  std::unique_ptr<LocalServer> server_;
  std::string server_device_;
  load::TargetSpec target_;
  std::unique_ptr<load::TorchServeControl> control_;
  std::string registered_;  // "" = nothing of ours is

  load::Workload workload_;
  std::unique_ptr<Session> session_;
  std::function<void(const Progress&)> progress_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_TORCHSERVE_TARGET_H_

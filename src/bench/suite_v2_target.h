// The models of a v2 server, given and local, as a suite measures them.
#ifndef HEADRACE_BENCH_SUITE_V2_TARGET_H_
#define HEADRACE_BENCH_SUITE_V2_TARGET_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "bench/local_server.h"
#include "bench/suite_run.h"
#include "load/workload.h"

namespace headrace::bench {

struct SuiteTargetOptions {
  const std::atomic<bool>* stop = nullptr;
  // What a server of our own prints ("" = nowhere), and where its model store is made.
  std::string log_file, work_folder;
  std::string program = "/proc/self/exe";
};

// What stands behind a suite's points: chosen by the spec's protocol. UNAVAILABLE where the server
// does not answer or does not start. Borrows `spec`.
Result<std::unique_ptr<SuiteTarget>> OpenSuiteTarget(const SuiteSpec& spec,
                                                     const SuiteTargetOptions& options);

// Applies configurations by load requests with a changed configuration; for a running server that
// needs explicit model control. Puts each model back to what its repository has.
class SuiteV2Target final : public SuiteTarget {
 public:
  static Result<std::unique_ptr<SuiteTarget>> Open(const SuiteSpec& spec,
                                                   const SuiteTargetOptions& options);
  Status Apply(const SuitePoint& point) override;
  Result<PointResult> Measure(const SuitePoint& point,
                              const std::function<void(const Progress&)>& progress) override;
  Status Restore() override;

 private:
  SuiteV2Target(const SuiteSpec& spec, const SuiteTargetOptions& options);
  Status Connect();
  Result<std::string> BaseConfig(const SuiteModel& model);
  Status MakeSession(const SuitePoint& point);

  const SuiteSpec& spec_;
  const SuiteTargetOptions options_;
  std::unique_ptr<LocalServer> server_;  // null: a running one
  load::TargetSpec target_;
  std::unique_ptr<load::ServerControl> control_;
  std::map<std::string, std::string> base_configs_;  // by model, as they were before the suite
  std::set<std::string> changed_;                    // models that have another one now

  load::Workload workload_;
  std::unique_ptr<Session> session_;  // of the last point's configuration and request batch
  std::int64_t session_batch_size_ = 0;
  std::function<void(const Progress&)> progress_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_V2_TARGET_H_

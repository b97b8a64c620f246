// Probes of several real models on one real server.
#ifndef HEADRACE_TUNE_MULTI_SESSION_PROBER_H_
#define HEADRACE_TUNE_MULTI_SESSION_PROBER_H_

#include <memory>
#include <vector>

#include "bench/session.h"
#include "load/server_control.h"
#include "load/workload.h"
#include "tune/multi_prober.h"
#include "tune/session_prober.h"

namespace headrace::tune {

// Borrows the control. Puts the models' configurations back when it is destroyed (SessionProber).
class MultiSessionProber final : public MultiProber {
 public:
  // One for each model, never empty; `shares` beside them.
  MultiSessionProber(load::ServerControl& control,
                     std::vector<std::unique_ptr<SessionProber>> models, std::vector<double> shares)
      : control_(control), models_(std::move(models)), shares_(std::move(shares)) {}

  Nanos Now() override { return models_.front()->Now(); }
  bool Stopped() override { return models_.front()->Stopped(); }
  std::size_t size() const override { return models_.size(); }
  SessionProber& model(std::size_t index) override { return *models_[index]; }
  Result<MixSample> Mix(const std::vector<Configuration>& configurations, double rate,
                        Nanos duration) override;

  // Levels of mixed load, for the result file.
  const std::vector<bench::LevelResult>& levels() const { return levels_; }

 private:
  Status OpenSession();

  load::ServerControl& control_;
  const std::vector<std::unique_ptr<SessionProber>> models_;
  const std::vector<double> shares_;
  load::Workload workload_;
  std::unique_ptr<bench::Session> session_;  // borrows the workload
  std::vector<Configuration> current_;       // that were warmed up
  std::vector<bench::LevelResult> levels_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_SESSION_PROBER_H_

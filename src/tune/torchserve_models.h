// A TorchServe whose models can be changed, by its management API.
#ifndef HEADRACE_TUNE_TORCHSERVE_MODELS_H_
#define HEADRACE_TUNE_TORCHSERVE_MODELS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "load/server_control.h"
#include "load/torchserve_control.h"

namespace headrace::tune {

// The `backend` of the configuration that TorchServeModels shows: workers, batch and delay are what
// can be changed of such a model.
inline constexpr char kRegisteredBackend[] = "torchserve";

// Shows a registration as a configuration of v2's form (max_batch_size, dynamic_batching and its
// delay, the count of the instance group), and makes one true: workers are scaled; where batch or
// delay are others, the model is unregistered and registered anew with the archive, the time limit
// and the name that it had. In between requests for it fail.
//
// Works with stock TorchServe, too. One thread.
class TorchServeModels final : public load::ServerControl {
 public:
  TorchServeModels(std::unique_ptr<load::ServerControl> server,
                   std::unique_ptr<load::TorchServeControl> management)
      : server_(std::move(server)), management_(std::move(management)) {}

  Result<load::ServerFacts> Server() override { return server_->Server(); }
  Result<bool> ModelReady(const std::string& model, const std::string& version) override {
    return server_->ModelReady(model, version);
  }
  // FAILED_PRECONDITION for one of several versions: which of them requests go to would change.
  Result<load::ModelFacts> Model(const std::string& model, const std::string& version) override;
  Result<std::map<std::string, std::vector<load::ModelStatistics>>> Statistics(
      const std::string& model) override {
    return server_->Statistics(model);
  }
  Result<std::vector<load::ModelState>> Index() override { return server_->Index(); }
  // "" = as it was found first. FAILED_PRECONDITION where the archive's own settings win over a
  // registration's.
  Status Load(const std::string& model, const std::string& config_json) override;
  Status Unload(const std::string& model) override { return server_->Unload(model); }
  Result<std::string> Metrics() override { return server_->Metrics(); }

 private:
  struct Registered {
    load::TorchServeRegistration registration;  // its workers are the lower number
    int workers_max = 1;
    std::string config_json;  // by which it is shown
  };
  // The one version that there is.
  Result<Registered> Ask(const std::string& model);
  Status Change(const std::string& model, const Registered& wanted);

  const std::unique_ptr<load::ServerControl> server_;
  const std::unique_ptr<load::TorchServeControl> management_;
  std::map<std::string, Registered> found_;  // as each was seen first
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TORCHSERVE_MODELS_H_

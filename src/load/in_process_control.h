// The side channel of a server in this process, through the C interface.
#ifndef HEADRACE_LOAD_IN_PROCESS_CONTROL_H_
#define HEADRACE_LOAD_IN_PROCESS_CONTROL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "load/in_process_server.h"
#include "load/server_control.h"

namespace headrace::load {

// ModelReady and Model load the model if nobody has yet, and say why where that fails.
class InProcessControl final : public ServerControl {
 public:
  explicit InProcessControl(std::shared_ptr<InProcessServer> server) : server_(std::move(server)) {}

  Result<ServerFacts> Server() override;
  Result<bool> ModelReady(const std::string& model, const std::string& version) override;
  Result<ModelFacts> Model(const std::string& model, const std::string& version) override;
  Result<std::map<std::string, std::vector<ModelStatistics>>> Statistics(
      const std::string& model) override;
  Result<std::vector<ModelState>> Index() override;
  Status Load(const std::string& model, const std::string& config_json) override {
    return server_->Load(model, config_json);
  }
  Status Unload(const std::string& model) override { return server_->Unload(model); }
  Result<std::string> Metrics() override;

 private:
  const std::shared_ptr<InProcessServer> server_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_IN_PROCESS_CONTROL_H_

// A v2 server's side channel over gRPC alone (contracts, Triton 2.2, 2.5).
#ifndef HEADRACE_LOAD_V2_GRPC_CONTROL_H_
#define HEADRACE_LOAD_V2_GRPC_CONTROL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/grpc_unary.h"
#include "load/http_client.h"
#include "load/server_control.h"

namespace headrace::load {

class V2GrpcControl final : public ServerControl {
 public:
  // `metrics`: null = there are none.
  V2GrpcControl(const TargetSpec& target, std::unique_ptr<HttpClient> metrics,
                std::string metrics_path)
      : grpc_(target), metrics_(std::move(metrics)), metrics_path_(std::move(metrics_path)) {}

  Result<ServerFacts> Server() override;
  Result<bool> ModelReady(const std::string& model, const std::string& version) override;
  Result<ModelFacts> Model(const std::string& model, const std::string& version) override;
  Result<std::map<std::string, std::vector<ModelStatistics>>> Statistics(
      const std::string& model) override;
  Result<std::vector<ModelState>> Index() override;
  Status Load(const std::string& model, const std::string& config_json) override;
  Status Unload(const std::string& model) override;
  Result<std::string> Metrics() override;

 private:
  const GrpcUnary grpc_;
  const std::unique_ptr<HttpClient> metrics_;
  const std::string metrics_path_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_V2_GRPC_CONTROL_H_

// The side channel of servers that have next to none: KServe v1, SageMaker's contract, raw HTTP.
#ifndef HEADRACE_LOAD_V1_CONTROL_H_
#define HEADRACE_LOAD_V1_CONTROL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/http_client.h"
#include "load/server_control.h"
#include "load/target.h"

namespace headrace::load {

// `kV1`: GET /v1/models and /v1/models/NAME (KServe's "ready", TensorFlow Serving's
// "model_version_status"). `kInvocations`: GET /ping. Models have no signature.
class V1Control final : public ServerControl {
 public:
  V1Control(Protocol protocol, HttpClientSpec server, std::unique_ptr<HttpClient> metrics,
            std::string metrics_path)
      : protocol_(protocol),
        http_(std::move(server)),
        metrics_(std::move(metrics)),
        metrics_path_(std::move(metrics_path)) {}

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
  Status Missing(std::string_view what) const;

  const Protocol protocol_;
  HttpClient http_;
  const std::unique_ptr<HttpClient> metrics_;
  const std::string metrics_path_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_V1_CONTROL_H_

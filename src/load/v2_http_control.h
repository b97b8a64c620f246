// A v2 server's side channel over HTTP (contracts, Triton 1.3 to 1.5, 1.11, 6.2).
#ifndef HEADRACE_LOAD_V2_HTTP_CONTROL_H_
#define HEADRACE_LOAD_V2_HTTP_CONTROL_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/http_client.h"
#include "load/server_control.h"

namespace headrace::load {

class V2HttpControl final : public ServerControl {
 public:
  // `base` goes in front of every path ("" or "/prefix"). `metrics`: null = there are none.
  V2HttpControl(HttpClientSpec server, std::string base, std::unique_ptr<HttpClient> metrics,
                std::string metrics_path)
      : http_(std::move(server)),
        base_(std::move(base)),
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
  Result<std::string> Get(const std::string& path);
  Result<std::string> Post(const std::string& path, std::string_view json);
  Result<std::string> Ask(const HttpCall& call);
  std::string ModelPath(const std::string& model, const std::string& version) const;

  HttpClient http_;
  const std::string base_;
  const std::unique_ptr<HttpClient> metrics_;
  const std::string metrics_path_;
};

// Contracts, Triton 1.4; the configuration is not in it. `url` is for messages.
Result<ServerFacts> ReadServerMetadata(std::string_view json, const std::string& url);
Result<ModelFacts> ReadModelMetadata(std::string_view json, const std::string& url);
// Contracts, Triton 6.2.
Result<std::map<std::string, std::vector<ModelStatistics>>> ReadStatistics(std::string_view json,
                                                                           const std::string& url);
// Of the repository index.
Result<std::vector<ModelState>> ReadIndex(std::string_view json, const std::string& url);

// The page at `path` of `metrics`, which may be null.
Result<std::string> GetMetrics(HttpClient* metrics, const std::string& path);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_V2_HTTP_CONTROL_H_

#include "load/server_control.h"

#include <strings.h>

#include <utility>

#include "load/http_client.h"
#include "load/in_process_control.h"
#include "load/torchserve_control.h"
#include "load/v1_control.h"
#include "load/v2_grpc_control.h"
#include "load/v2_http_control.h"

namespace headrace::load {
namespace {

constexpr int kTritonMetricsPort = 8002;
constexpr int kTorchServeManagementPort = 8081;
constexpr int kTorchServeMetricsPort = 8082;

struct MetricsPage {
  std::unique_ptr<HttpClient> client;
  std::string path;
};

Result<MetricsPage> MakeMetrics(const ControlSpec& spec) {
  HttpClientSpec client = ClientOf(spec.target);
  client.unix_socket.clear();
  std::string path = "/metrics";
  if (!spec.metrics_url.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(SplitUrl url, ParseUrl(spec.metrics_url));
    client.origin = std::move(url.origin);
    path = url.path.empty() || url.path == "/" ? path : std::move(url.path);
  } else if (!spec.target.unix_socket.empty()) {
    return MetricsPage();
  } else {
    client.origin = HttpOrigin(spec.target, kTritonMetricsPort);
  }
  return MetricsPage{std::make_unique<HttpClient>(std::move(client)), std::move(path)};
}

// A TorchServe as the other tools ask servers.
class TorchServeAsServer final : public ServerControl {
 public:
  explicit TorchServeAsServer(std::unique_ptr<TorchServeControl> control)
      : control_(std::move(control)) {}

  Result<ServerFacts> Server() override {
    HEADRACE_ASSIGN_OR_RETURN(std::string version, control_->Version());
    return ServerFacts{"torchserve", std::move(version), {}};
  }
  Result<bool> ModelReady(const std::string& model, const std::string& version) override {
    const auto models = control_->Describe(model, version);
    if (!models.ok()) {
      if (models.status().code() == StatusCode::kNotFound) {
        return false;
      }
      return models.status();
    }
    for (const TorchServeModel& entry : *models) {
      for (const TorchServeWorker& worker : entry.workers) {
        if (worker.status == "READY") {
          return true;
        }
      }
    }
    return false;
  }
  Result<ModelFacts> Model(const std::string& model, const std::string& version) override {
    HEADRACE_ASSIGN_OR_RETURN(const auto models, control_->Describe(model, version));
    ModelFacts facts;
    facts.name = model;
    facts.platform = "torchserve";
    for (const TorchServeModel& entry : models) {
      facts.versions.push_back(entry.version);
      facts.batch_size_max = entry.batch_size;
    }
    return facts;
  }
  Result<std::map<std::string, std::vector<ModelStatistics>>> Statistics(
      const std::string&) override {
    return Unimplemented("TorchServe has no statistics of models; its metrics have some");
  }
  Result<std::vector<ModelState>> Index() override {
    HEADRACE_ASSIGN_OR_RETURN(const auto names, control_->ModelNames());
    std::vector<ModelState> states;
    for (const std::string& name : names) {
      HEADRACE_ASSIGN_OR_RETURN(const bool ready, ModelReady(name, ""));
      states.push_back({name, "", ready ? "READY" : "UNAVAILABLE", ready ? "" : "no worker"});
    }
    return states;
  }
  Status Load(const std::string&, const std::string&) override {
    return Unimplemented("TorchServe registers archives; it does not load models by name");
  }
  Status Unload(const std::string& model) override { return control_->Unregister(model, ""); }
  Result<std::string> Metrics() override { return control_->Metrics(); }

 private:
  const std::unique_ptr<TorchServeControl> control_;
};

Result<std::unique_ptr<ServerControl>> MakeTorchServe(const ControlSpec& spec) {
  HEADRACE_ASSIGN_OR_RETURN(const TorchServeControlSpec torchserve, TorchServeSpecOf(spec));
  HEADRACE_ASSIGN_OR_RETURN(auto control, TorchServeControl::Make(torchserve));
  return std::unique_ptr<ServerControl>(std::make_unique<TorchServeAsServer>(std::move(control)));
}

}  // namespace

Result<TorchServeControlSpec> TorchServeSpecOf(const ControlSpec& spec) {
  TorchServeControlSpec torchserve;
  torchserve.management = spec.target;
  torchserve.management.port = kTorchServeManagementPort;
  torchserve.inference_url = HttpOrigin(spec.target);
  torchserve.metrics_url = spec.metrics_url;
  if (!spec.management_url.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const TargetSpec management,
                              TargetOf(spec.target, spec.management_url));
    torchserve.management = management;
  }
  if (torchserve.metrics_url.empty()) {
    torchserve.metrics_url = HttpOrigin(spec.target, kTorchServeMetricsPort);
  }
  if (!spec.management_token.empty()) {
    std::erase_if(torchserve.management.headers, [](const auto& header) {
      return strcasecmp(header.first.c_str(), "Authorization") == 0;
    });
    torchserve.management.headers.emplace_back("Authorization", "Bearer " + spec.management_token);
  }
  return torchserve;
}

Result<std::unique_ptr<ServerControl>> MakeServerControl(const ControlSpec& spec) {
  if (spec.target.protocol == Protocol::kTorchServe) {
    return MakeTorchServe(spec);
  }
  if (spec.target.protocol == Protocol::kInProcess) {
    HEADRACE_ASSIGN_OR_RETURN(std::shared_ptr<InProcessServer> server,
                              InProcessServer::Of(spec.target));
    return std::unique_ptr<ServerControl>(std::make_unique<InProcessControl>(std::move(server)));
  }
  HEADRACE_ASSIGN_OR_RETURN(MetricsPage metrics, MakeMetrics(spec));
  HttpClientSpec client = ClientOf(spec.target);
  std::string base;
  switch (spec.target.protocol) {
    case Protocol::kV2Grpc:
      if (spec.http_url.empty()) {
        return std::unique_ptr<ServerControl>(std::make_unique<V2GrpcControl>(
            spec.target, std::move(metrics.client), std::move(metrics.path)));
      } else {
        HEADRACE_ASSIGN_OR_RETURN(SplitUrl url, ParseUrl(spec.http_url));
        client.origin = std::move(url.origin);
        client.unix_socket.clear();
        base = url.path == "/" ? "" : std::move(url.path);
      }
      [[fallthrough]];
    case Protocol::kV2Http:
      return std::unique_ptr<ServerControl>(std::make_unique<V2HttpControl>(
          std::move(client), std::move(base), std::move(metrics.client), std::move(metrics.path)));
    default:
      return std::unique_ptr<ServerControl>(
          std::make_unique<V1Control>(spec.target.protocol, std::move(client),
                                      std::move(metrics.client), std::move(metrics.path)));
  }
}

}  // namespace headrace::load

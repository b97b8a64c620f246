#include "load/in_process_control.h"

#include <utility>

#include "load/model_config_facts.h"
#include "load/v2_http_control.h"

namespace headrace::load {
namespace {

constexpr const char* kName = "the server in this process";

}  // namespace

Result<ServerFacts> InProcessControl::Server() {
  const TritonApi& api = server_->api();
  TRITONSERVER_Message* message = nullptr;
  HEADRACE_RETURN_IF_ERROR(api.Take(api.ServerMetadata(server_->server(), &message)));
  HEADRACE_ASSIGN_OR_RETURN(const std::string json, api.Text(message));
  return ReadServerMetadata(json, kName);
}

Result<bool> InProcessControl::ModelReady(const std::string& model, const std::string& version) {
  const TritonApi& api = server_->api();
  HEADRACE_ASSIGN_OR_RETURN(const std::int64_t number, VersionNumber(version));
  HEADRACE_RETURN_IF_ERROR(server_->Need(model));
  bool ready = false;
  const Status status =
      api.Take(api.ServerModelIsReady(server_->server(), model.c_str(), number, &ready));
  return status.ok() && ready;
}

Result<ModelFacts> InProcessControl::Model(const std::string& model, const std::string& version) {
  const TritonApi& api = server_->api();
  HEADRACE_ASSIGN_OR_RETURN(const std::int64_t number, VersionNumber(version));
  HEADRACE_RETURN_IF_ERROR(server_->Need(model));
  TRITONSERVER_Message* message = nullptr;
  HEADRACE_RETURN_IF_ERROR(
      api.Take(api.ServerModelMetadata(server_->server(), model.c_str(), number, &message)));
  HEADRACE_ASSIGN_OR_RETURN(const std::string metadata, api.Text(message));
  HEADRACE_ASSIGN_OR_RETURN(ModelFacts facts, ReadModelMetadata(metadata, kName));
  HEADRACE_RETURN_IF_ERROR(
      api.Take(api.ServerModelConfig(server_->server(), model.c_str(), number, 1, &message)));
  HEADRACE_ASSIGN_OR_RETURN(std::string config, api.Text(message));
  HEADRACE_RETURN_IF_ERROR(AddConfig(std::move(config), kName, facts));
  return facts;
}

Result<std::map<std::string, std::vector<ModelStatistics>>> InProcessControl::Statistics(
    const std::string& model) {
  const TritonApi& api = server_->api();
  TRITONSERVER_Message* message = nullptr;
  HEADRACE_RETURN_IF_ERROR(
      api.Take(api.ServerModelStatistics(server_->server(), model.c_str(), -1, &message)));
  HEADRACE_ASSIGN_OR_RETURN(const std::string json, api.Text(message));
  return ReadStatistics(json, kName);
}

Result<std::vector<ModelState>> InProcessControl::Index() {
  const TritonApi& api = server_->api();
  TRITONSERVER_Message* message = nullptr;
  HEADRACE_RETURN_IF_ERROR(api.Take(api.ServerModelIndex(server_->server(), 0, &message)));
  HEADRACE_ASSIGN_OR_RETURN(const std::string json, api.Text(message));
  return ReadIndex(json, kName);
}

Result<std::string> InProcessControl::Metrics() {
  const TritonApi& api = server_->api();
  TRITONSERVER_Metrics* metrics = nullptr;
  if (const Status status = api.Take(api.ServerMetrics(server_->server(), &metrics));
      !status.ok()) {
    return FailedPrecondition("{} has no metrics: {}", kName, status.message());
  }
  const char* base = nullptr;
  std::size_t byte_size = 0;
  const Status status =
      api.Take(api.MetricsFormatted(metrics, TRITONSERVER_METRIC_PROMETHEUS, &base, &byte_size));
  std::string page(base == nullptr ? "" : base, base == nullptr ? 0 : byte_size);
  (void)api.Take(api.MetricsDelete(metrics));
  HEADRACE_RETURN_IF_ERROR(status);
  return page;
}

}  // namespace headrace::load

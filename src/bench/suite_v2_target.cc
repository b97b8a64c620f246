#include "bench/suite_v2_target.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "bench/metric_columns.h"
#include "bench/suite_addresses.h"
#include "bench/suite_session.h"
#include "bench/suite_torchserve_target.h"
#include "load/metrics_text.h"
#include "load/socket_address.h"
#include "load/workload_spec.h"

namespace headrace::bench {
namespace {

load::MetricFamilies Metrics(load::ServerControl& control) {
  const auto text = control.Metrics();
  auto families =
      text.ok() ? load::ReadMetrics(*text) : Result<load::MetricFamilies>(text.status());
  return families.ok() ? std::move(*families) : load::MetricFamilies();
}

}  // namespace

Result<std::unique_ptr<SuiteTarget>> OpenSuiteTarget(const SuiteSpec& spec,
                                                     const SuiteTargetOptions& options) {
  return spec.server.protocol == load::Protocol::kTorchServe
             ? SuiteTorchServeTarget::Open(spec, options)
             : SuiteV2Target::Open(spec, options);
}

SuiteV2Target::SuiteV2Target(const SuiteSpec& spec, const SuiteTargetOptions& options)
    : spec_(spec), options_(options) {}

Result<std::unique_ptr<SuiteTarget>> SuiteV2Target::Open(const SuiteSpec& spec,
                                                         const SuiteTargetOptions& options) {
  std::unique_ptr<SuiteV2Target> target(new SuiteV2Target(spec, options));
  HEADRACE_RETURN_IF_ERROR(target->Connect());
  return std::unique_ptr<SuiteTarget>(std::move(target));
}

Status SuiteV2Target::Connect() {
  load::ControlSpec control;
  const SuiteServer& server = spec_.server;
  if (server.url.empty()) {
    LocalServerOptions local;
    local.program = options_.program;
    local.model_repositories = server.repositories;
    local.arguments = server.arguments;
    local.log_file = options_.log_file;
    local.stop = options_.stop;
    HEADRACE_ASSIGN_OR_RETURN(server_, LocalServer::Start(std::move(local)));
    target_ = server_->Target(server.protocol);
    control = server_->Control();
  } else {
    HEADRACE_RETURN_IF_ERROR(SetAddress(server.url, server.protocol, target_));
    control.target = target_;
    control.metrics_url = server.metrics_url;
  }
  target_.streaming = server.streaming;
  target_.headers.assign(server.headers.begin(), server.headers.end());
  control.target.headers = target_.headers;
  HEADRACE_ASSIGN_OR_RETURN(control_, load::MakeServerControl(control));
  return control_->Server().status();
}

Result<std::string> SuiteV2Target::BaseConfig(const SuiteModel& model) {
  if (const auto found = base_configs_.find(model.model); found != base_configs_.end()) {
    return found->second;
  }
  HEADRACE_ASSIGN_OR_RETURN(const bool ready, control_->ModelReady(model.model, model.version));
  if (!ready) {
    HEADRACE_RETURN_IF_ERROR(control_->Load(model.model, ""));
  }
  HEADRACE_ASSIGN_OR_RETURN(load::ModelFacts facts, control_->Model(model.model, model.version));
  return base_configs_[model.model] = std::move(facts.config_json);
}

Status SuiteV2Target::Apply(const SuitePoint& point) {
  session_.reset();
  if (server_ != nullptr && !server_->Running()) {
    const std::string last_words = server_->LastLines();
    HEADRACE_RETURN_IF_ERROR(Connect().WithPrefix("the server died; it said:\n" + last_words));
    base_configs_.clear();
    changed_.clear();
  }
  const SuiteModel& model = spec_.models[point.model];
  HEADRACE_ASSIGN_OR_RETURN(const std::string base, BaseConfig(model));
  if (point.change == ConfigChange() && changed_.count(model.model) == 0) {
    return OkStatus();
  }
  if (base.empty()) {
    return Status(StatusCode::kFailedPrecondition,
                  fmt::format("the server tells no configuration of model '{}', so none can be "
                              "changed; measure it as it is",
                              model.model));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string config, ChangedConfig(base, point.change));
  Status loaded = control_->Load(model.model, config);
  if (!loaded.ok() && server_ == nullptr) {
    return Status(
        loaded.code(),
        loaded.message() + " (a suite needs a server with --model-control-mode=explicit)");
  }
  changed_.insert(model.model);
  return loaded;
}

Status SuiteV2Target::MakeSession(const SuitePoint& point) {
  if (session_ != nullptr && session_batch_size_ == point.request_batch_size) {
    return OkStatus();
  }
  session_.reset();
  const SuiteModel& model = spec_.models[point.model];
  load::WorkloadSpec spec = WorkloadSpecOf(spec_, model, target_.protocol);
  spec.item.batch_size = point.request_batch_size;
  for (const std::string& input : model.inputs) {
    load::AddInputData(input, spec.item);
  }
  for (const std::string& shape : model.shapes) {
    HEADRACE_RETURN_IF_ERROR(load::AddShape(shape, spec.item));
  }
  HEADRACE_ASSIGN_OR_RETURN(workload_, load::BuildWorkload(spec, control_.get()));
  target_.request_timeout = model.request_timeout;
  SessionOptions options = SessionOptionsOf(
      spec_, options_.stop, [this](const Progress& progress) { progress_(progress); });
  HEADRACE_ASSIGN_OR_RETURN(session_,
                            Session::Open(target_, workload_, control_.get(), std::move(options)));
  session_batch_size_ = point.request_batch_size;
  return OkStatus();
}

Result<PointResult> SuiteV2Target::Measure(const SuitePoint& point,
                                           const std::function<void(const Progress&)>& progress) {
  progress_ = progress;
  HEADRACE_RETURN_IF_ERROR(MakeSession(point));
  // Read before the warm-up: the columns say how the model works under this load, both phases.
  const load::MetricFamilies before = Metrics(*control_);
  PointResult result;
  HEADRACE_ASSIGN_OR_RETURN(result.level, session_->Run(point.level));
  result.columns = ColumnsBetween(before, Metrics(*control_), spec_.models[point.model].model);
  return result;
}

SuiteTargetFacts SuiteV2Target::Facts() {
  SuiteTargetFacts facts;
  facts.protocol = target_.protocol == load::Protocol::kV2Grpc ? "v2 grpc" : "v2 http";
  facts.address = server_ == nullptr ? load::AddressText(target_) : "a server of this run";
  if (const auto server = control_->Server(); server.ok()) {
    facts.server_name = server->name;
    facts.server_version = server->version;
  }
  return facts;
}

Status SuiteV2Target::Restore() {
  session_.reset();
  if (server_ != nullptr) {
    server_->Stop();
    return OkStatus();
  }
  Status status;
  for (const std::string& model : changed_) {
    if (const Status restored = control_->Load(model, ""); !restored.ok()) {
      status = restored;
    }
  }
  return status;
}

}  // namespace headrace::bench

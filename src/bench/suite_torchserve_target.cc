#include "bench/suite_torchserve_target.h"

#include <fmt/format.h>
#include <poll.h>

#include <filesystem>
#include <set>
#include <utility>

#include "bench/suite_addresses.h"
#include "bench/suite_session.h"
#include "load/socket_address.h"
#include "load/workload_spec.h"

namespace headrace::bench {
namespace {

namespace fs = std::filesystem;

constexpr Nanos kMetricLinesWait = kSecond;

// As it is registered: files that lie here by a URL, everything else as it was written.
std::string RegisteredUrl(const std::string& url) {
  std::error_code error;
  return url.find("://") == std::string::npos && fs::exists(url, error)
             ? "file://" + fs::canonical(url, error).string()
             : url;
}

std::string AllowedUrls(const SuiteSpec& spec) {
  std::set<std::string> urls;
  for (const SuiteModel& model : spec.models) {
    if (const std::string url = RegisteredUrl(model.url); url.find("://") != std::string::npos) {
      urls.insert(url);
    }
  }
  return fmt::format("{}", fmt::join(urls, ","));
}

}  // namespace

Result<std::unique_ptr<SuiteTarget>> SuiteTorchServeTarget::Open(
    const SuiteSpec& spec, const SuiteTargetOptions& options) {
  std::unique_ptr<SuiteTorchServeTarget> target(new SuiteTorchServeTarget(spec, options));
  const std::vector<std::string>& devices = spec.models.front().devices;
  HEADRACE_RETURN_IF_ERROR(target->Connect(devices.empty() ? "" : devices.front()));
  return std::unique_ptr<SuiteTarget>(std::move(target));
}

Status SuiteTorchServeTarget::StartServer(const std::string& device) {
  server_.reset();
  LocalServerOptions local;
  local.program = options_.program;
  local.model_store = spec_.server.model_store;
  if (local.model_store.empty()) {
    local.model_store = options_.work_folder + "/model_store";
    std::error_code error;
    if (fs::create_directories(local.model_store, error); error) {
      return Unavailable("'{}' cannot be made: {}", local.model_store, error.message());
    }
  }
  local.arguments = spec_.server.arguments;
  local.log_file = options_.log_file;
  local.stop = options_.stop;
  local.on_line = [this](std::string_view line) { lines_.Take(line); };
  local.torchserve_keys["metric_time_interval"] = "1";
  if (const std::string urls = AllowedUrls(spec_); !urls.empty()) {
    local.torchserve_keys["allowed_urls"] = urls;
  }
  if (device == "cpu") {
    local.torchserve_keys["number_of_gpu"] = "0";
  }
  HEADRACE_ASSIGN_OR_RETURN(server_, LocalServer::Start(std::move(local)));
  server_device_ = device;
  return OkStatus();
}

Status SuiteTorchServeTarget::Connect(const std::string& device) {
  load::TorchServeControlSpec control;
  const SuiteServer& server = spec_.server;
  if (server.url.empty()) {
    HEADRACE_RETURN_IF_ERROR(StartServer(device));
    target_ = server_->Target(load::Protocol::kTorchServe);
    control.management = target_;
    control.management.port = server_->ports().management;
    control.inference_url = fmt::format("http://127.0.0.1:{}", server_->ports().inference);
    control.metrics_url = fmt::format("http://127.0.0.1:{}/metrics", server_->ports().metrics);
  } else {
    HEADRACE_RETURN_IF_ERROR(SetAddress(server.url, load::Protocol::kTorchServe, target_));
    target_.headers.assign(server.headers.begin(), server.headers.end());
    control.management = target_;
    control.management.port = 8081;
    if (!server.management_url.empty()) {
      HEADRACE_RETURN_IF_ERROR(
          SetAddress(server.management_url, load::Protocol::kTorchServe, control.management));
    }
    control.metrics_url = server.metrics_url;
    control.inference_url = fmt::format("{}://{}:{}", target_.tls.enabled ? "https" : "http",
                                        target_.host, target_.port);
  }
  HEADRACE_ASSIGN_OR_RETURN(control_, load::TorchServeControl::Make(control));
  return control_->ModelNames().status();
}

Status SuiteTorchServeTarget::Unregister() {
  session_.reset();
  if (registered_.empty()) {
    return OkStatus();
  }
  const Status status = control_->Unregister(std::exchange(registered_, ""), "");
  return status.code() == StatusCode::kNotFound ? OkStatus() : status;
}

Status SuiteTorchServeTarget::Apply(const SuitePoint& point) {
  const std::string device = point.change.device.value_or("");
  if (server_ != nullptr && (!server_->Running() || device != server_device_)) {
    registered_.clear();
    session_.reset();
    HEADRACE_RETURN_IF_ERROR(Connect(device));
  }
  HEADRACE_RETURN_IF_ERROR(Unregister());
  const SuiteModel& model = spec_.models[point.model];
  load::TorchServeRegistration registration;
  registration.url = RegisteredUrl(model.url);
  registration.name = model.model;
  registration.batch_size = static_cast<int>(point.change.max_batch_size.value_or(1));
  registration.batch_delay_ms =
      static_cast<std::int64_t>(point.change.queue_delay_us.value_or(100'000) / 1000);
  registration.workers = point.change.instance_count.value_or(1);
  const Status registered = control_->Register(registration);
  // A registration whose workers failed stays, and would be in the next one's way.
  if (registered.code() != StatusCode::kAlreadyExists) {
    registered_ = model.model;
  }
  if (!registered.ok()) {
    [[maybe_unused]] const Status gone = Unregister();
  }
  return registered;
}

Status SuiteTorchServeTarget::MakeSession(const SuitePoint& point) {
  if (session_ != nullptr) {
    return OkStatus();
  }
  const SuiteModel& model = spec_.models[point.model];
  load::WorkloadSpec spec = WorkloadSpecOf(spec_, model, load::Protocol::kTorchServe);
  spec.item.data = model.inputs;
  HEADRACE_ASSIGN_OR_RETURN(workload_, load::BuildWorkload(spec, nullptr));
  target_.request_timeout = model.request_timeout;
  SessionOptions options = SessionOptionsOf(
      spec_, options_.stop, [this](const Progress& progress) { progress_(progress); });
  HEADRACE_ASSIGN_OR_RETURN(session_,
                            Session::Open(target_, workload_, nullptr, std::move(options)));
  return OkStatus();
}

Result<PointResult> SuiteTorchServeTarget::Measure(
    const SuitePoint& point, const std::function<void(const Progress&)>& progress) {
  progress_ = progress;
  HEADRACE_RETURN_IF_ERROR(MakeSession(point));
  lines_.Clear();
  PointResult result;
  HEADRACE_ASSIGN_OR_RETURN(result.level, session_->Run(point.level));
  const Nanos end = Clock::Real().Now() + kMetricLinesWait;
  while (server_ != nullptr && !lines_.Complete() && Clock::Real().Now() < end) {
    ::poll(nullptr, 0, 20);
  }
  result.columns = lines_.Columns(result.level.intended_count);
  return result;
}

SuiteTargetFacts SuiteTorchServeTarget::Facts() {
  SuiteTargetFacts facts;
  facts.protocol = "torchserve";
  facts.address = server_ == nullptr ? load::AddressText(target_) : "a server of this run";
  facts.server_name = "torchserve";
  facts.server_version = control_->Version().ok() ? *control_->Version() : "";
  return facts;
}

Status SuiteTorchServeTarget::Restore() {
  const Status status = Unregister();
  if (server_ != nullptr) {
    server_->Stop();
    return OkStatus();
  }
  return status;
}

}  // namespace headrace::bench

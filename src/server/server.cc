#include "server/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "device/device_memory.h"
#include "device/nvml.h"
#include "engine/registry.h"
#include "frontend/front_end.h"
#include "net/http_server.h"
#include "plugin/plugin_host.h"
#include "repository/model_manager.h"
#include "server/listen_address.h"
#include "server/process.h"
#include "server/startup_report.h"
#include "telemetry/gpu_metrics.h"
#include "telemetry/process_metrics.h"
#include "tracing/tracer.h"

namespace headrace::server {
namespace {

int LoopCount(const ServerConfig& config) {
  if (config.http_thread_count > 0) {
    return static_cast<int>(config.http_thread_count);
  }
  return std::max<int>(1, static_cast<int>(AvailableCpus().size()) / 2);
}

net::HttpLimits Limits(const ServerConfig& config) {
  net::HttpLimits limits;
  limits.header_timeout = static_cast<Nanos>(config.http_header_timeout_ms) * kMillisecond;
  limits.body_idle_timeout = static_cast<Nanos>(config.http_body_idle_timeout_ms) * kMillisecond;
  limits.write_idle_timeout = static_cast<Nanos>(config.http_write_idle_timeout_ms) * kMillisecond;
  limits.keep_alive_timeout = static_cast<Nanos>(config.http_keep_alive_timeout_ms) * kMillisecond;
  limits.requests_per_connection_max = config.http_requests_per_connection_max;
  limits.connection_count_max = config.http_connection_count_max;
  return limits;
}

repository::ModelManagerOptions ManagerOptions(
    const ServerConfig& config, const std::shared_ptr<device::DeviceMemory>& device_memory) {
  repository::ModelManagerOptions options;
  options.repository_paths = config.model_repositories;
  options.control_mode = config.control_mode;
  options.startup_models = config.load_models;
  options.auto_complete_config = !config.disable_auto_complete_config;
  options.compute_capability_min = config.compute_capability_min;
  if (device_memory != nullptr) {
    for (const device::Gpu& gpu : device_memory->gpus().usable()) {
      options.gpu_ids.push_back(gpu.id);
    }
  }
  options.model_config_name = config.model_config_name;
  options.accelerators = {.openvino = config.enable_openvino, .tensorrt = config.enable_tensorrt};
  options.load_thread_count = config.model_load_thread_count;
  options.load_retry_count = config.model_load_retry_count;
  options.queue_limits = {
      .request_count_max = config.queue_request_count_max,
      .byte_size_max = config.queue_byte_size_max,
      .passed_over_batches_max = static_cast<std::uint32_t>(config.priority_passed_over_max),
      .hold_until_count = config.hold_until_count,
      .hold_until_backlog_count = config.hold_until_backlog_count};
  options.links_may_leave = config.allow_links_outside_repository;
  options.poll_interval = static_cast<Nanos>(config.repository_poll_s) * kSecond;
  options.allow_code_override = config.allow_code_override;
  options.override_byte_size_max = config.override_byte_size_max;
  options.unload_timeout = static_cast<Nanos>(config.exit_timeout_s) * kSecond;
  return options;
}

plugin::PluginHostOptions HostOptions(const ServerConfig& config,
                                      std::shared_ptr<device::DeviceMemory> device_memory) {
  plugin::PluginHostOptions options;
  options.backend_directory = config.backend_directory.empty() ? ProgramDirectory() + "/backends"
                                                               : config.backend_directory;
  options.backend_config = config.backend_config;
  options.auto_complete_config = !config.disable_auto_complete_config;
  options.compute_capability_min = config.compute_capability_min;
  options.device_memory = std::move(device_memory);
  return options;
}

// Null on a machine without a usable GPU, which is no fault: it is said in the log at verbose
// level 1.
std::shared_ptr<device::DeviceMemory> FindGpus(const ServerConfig& config) {
  device::Gpus gpus =
      device::Gpus::Discover(device::CudaDriver::Open(), config.compute_capability_min);
  if (gpus.empty()) {
    HEADRACE_LOG_VERBOSE("no GPU is used: {}", gpus.why_none());
    return nullptr;
  }
  for (const device::Gpu& gpu : gpus.usable()) {
    HEADRACE_LOG_INFO("GPU {}: {}, compute capability {}.{}, {} MiB", gpu.id, gpu.name,
                      gpu.capability_major, gpu.capability_minor, gpu.memory_byte_size >> 20);
  }
  device::DeviceMemoryOptions options;
  options.pinned_byte_size_max = config.pinned_memory_pool_byte_size;
  options.gpu_byte_size_max_of.insert(config.cuda_memory_pool_byte_sizes.begin(),
                                      config.cuda_memory_pool_byte_sizes.end());
  return std::make_shared<device::DeviceMemory>(std::move(gpus), std::move(options));
}

std::unique_ptr<telemetry::GpuMetrics> MakeGpuMetrics(
    const ServerConfig& config, std::shared_ptr<device::DeviceMemory> device_memory,
    const Clock& clock) {
  if (device_memory == nullptr || !config.allow_gpu_metrics) {
    return nullptr;
  }
  std::optional<device::Nvml> nvml;
  if (auto opened = device::Nvml::Open(); opened.ok()) {
    nvml = *std::move(opened);
  } else {
    HEADRACE_LOG_WARNING("no metrics of the GPUs: {}", opened.status().message());
  }
  return std::make_unique<telemetry::GpuMetrics>(
      std::move(device_memory), std::move(nvml),
      static_cast<Nanos>(config.metrics_interval_ms) * kMillisecond, clock);
}

frontend::FrontEndOptions FrontOptions(const ServerConfig& config) {
  frontend::FrontEndOptions options;
  options.server_id = config.server_id;
  options.server_version = HEADRACE_VERSION;
  options.http_input_byte_size_max = config.http_input_byte_size_max;
  options.strict_readiness = config.strict_readiness;
  options.shared_memory.allowed = config.allow_client_shm;
  options.shared_memory.key_prefix = config.client_shm_key_prefix;
  options.shared_memory.region_count_max = config.client_shm_region_count_max;
  return options;
}

// The HTTP servers' counters as a metric source.
class HttpMetrics final : public telemetry::MetricSource {
 public:
  explicit HttpMetrics(const net::HttpServer& server) : server_(server) {}
  void Collect(telemetry::PrometheusWriter& writer) const override { server_.Collect(writer); }

 private:
  const net::HttpServer& server_;
};

}  // namespace

// Members in the order in which they are made; they end in the reverse order.
class Server::Impl {
 public:
  Impl(const ServerConfig& config, std::unique_ptr<tracing::Tracer> tracer)
      : config_(config),
        tracer_(std::move(tracer)),
        device_memory_(FindGpus(config)),
        pool_({.in_use_byte_size_max = config.memory_budget_byte_size,
               .idle_byte_size_max = config.memory_idle_byte_size,
               .device_memory = device_memory_}),
        plugins_(HostOptions(config, device_memory_)),
        models_(ManagerOptions(config, device_memory_), plugins_, registry_, clock_),
        front_end_(FrontOptions(config), registry_, models_, *tracer_, pool_, clock_) {
    front_end_.AddMetricSource(plugins_.metrics());
    if (config.allow_cpu_metrics) {
      front_end_.AddMetricSource(process_metrics_);
    }
    if (gpu_metrics_ != nullptr) {
      front_end_.AddMetricSource(*gpu_metrics_);
    }
  }

  Status Listen() {
    HEADRACE_ASSIGN_OR_RETURN(const auto http_addresses,
                              Addresses(config_.http_address, "http-address"));
    const bool same = config_.metrics_address.empty();
    HEADRACE_ASSIGN_OR_RETURN(
        const auto metrics_addresses,
        Addresses(same ? config_.http_address : config_.metrics_address, "metrics-address"));
    if (config_.allow_http) {
      HEADRACE_ASSIGN_OR_RETURN(
          http_, net::HttpServer::Create(
                     {.loop_count = LoopCount(config_), .pin_threads = config_.http_thread_pinning},
                     pool_, clock_));
      http_metrics_ = std::make_unique<HttpMetrics>(*http_);
      front_end_.AddMetricSource(*http_metrics_);
      HEADRACE_ASSIGN_OR_RETURN(http_port_, Bind(*http_, "http", http_addresses, config_.http_port,
                                                 front_end_.v2_handler()));
    }
    if (config_.allow_metrics) {
      HEADRACE_ASSIGN_OR_RETURN(metrics_,
                                net::HttpServer::Create({.loop_count = 1}, pool_, clock_));
      HEADRACE_ASSIGN_OR_RETURN(metrics_port_,
                                Bind(*metrics_, "metrics", metrics_addresses, config_.metrics_port,
                                     front_end_.metrics_handler()));
    }
    return OkStatus();
  }

  Status LoadModels() {
    HEADRACE_RETURN_IF_ERROR(models_.LoadAtStart());
    ReportStart(config_, plugins_, models_);
    if (!models_.AllLoaded() && config_.exit_on_error) {
      return Internal(
          "failed to load all models; see the log, or use --exit-on-error=false to serve the "
          "others");
    }
    if (http_ != nullptr) {
      LogStarted("HTTPService", config_.http_address, http_port_);
    }
    if (metrics_ != nullptr) {
      LogStarted("Metrics Service",
                 config_.metrics_address.empty() ? config_.http_address : config_.metrics_address,
                 metrics_port_);
    }
    return OkStatus();
  }

  bool Stop() {
    const Nanos end = clock_.Now() + static_cast<Nanos>(config_.exit_timeout_s) * kSecond;
    const auto left = [&] { return std::max<Nanos>(0, end - clock_.Now()); };
    front_end_.SetDraining();
    bool clean = true;
    if (http_ != nullptr) {
      http_->StopAccepting();
      clean = http_->DrainConnections(left());
    }
    clean = models_.Shutdown(left()) && clean;
    if (metrics_ != nullptr) {
      metrics_->StopAccepting();
    }
    return clean;
  }

  std::uint16_t http_port() const { return http_port_; }
  std::uint16_t metrics_port() const { return metrics_port_; }

 private:
  Result<std::vector<ListenAddress>> Addresses(const std::string& text,
                                               std::string_view option) const {
    auto addresses = ParseListenAddresses(text);
    if (!addresses.ok()) {
      return addresses.status().WithPrefix(fmt::format("--{}: ", option));
    }
    HEADRACE_RETURN_IF_ERROR(CheckExposure(*addresses, config_.insecure_allow_remote, option));
    return addresses;
  }

  // Binds every address to one port: the first one's, when any free port is asked for. A machine
  // without IPv6 goes on without it.
  Result<std::uint16_t> Bind(net::HttpServer& server, const std::string& name,
                             const std::vector<ListenAddress>& addresses, std::uint64_t wanted_port,
                             net::HttpHandler& handler) {
    auto port = static_cast<std::uint16_t>(wanted_port);
    bool bound = false;
    for (const ListenAddress& address : addresses) {
      net::ListenerOptions options;
      options.name = name;
      options.address = address.text;
      options.port = port;
      options.reuse_port = config_.reuse_http_port;
      options.limits = Limits(config_);
      const auto result = server.AddListener(options, handler);
      if (!result.ok()) {
        if (bound && address.ipv6) {
          HEADRACE_LOG_WARNING("{}", result.status().message());
          continue;
        }
        return result.status();
      }
      bound = true;
      port = *result;
    }
    return port;
  }

  static void LogStarted(std::string_view service, const std::string& addresses,
                         std::uint16_t port) {
    const auto parsed = ParseListenAddresses(addresses);
    HEADRACE_LOG_INFO("Started {} at {}", service, HostAndPort(parsed->front(), port));
  }

  const ServerConfig config_;
  const Clock& clock_ = Clock::Real();
  const std::unique_ptr<tracing::Tracer> tracer_;
  const std::shared_ptr<device::DeviceMemory> device_memory_;  // null: no GPU
  BlockPool pool_;
  engine::Registry registry_;
  plugin::PluginHost plugins_;
  repository::ModelManager models_;
  frontend::FrontEnd front_end_;
  telemetry::ProcessMetrics process_metrics_{clock_};
  const std::unique_ptr<telemetry::GpuMetrics> gpu_metrics_ =
      MakeGpuMetrics(config_, device_memory_, clock_);
  std::unique_ptr<HttpMetrics> http_metrics_;
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<net::HttpServer> metrics_;
  std::uint16_t http_port_ = 0;
  std::uint16_t metrics_port_ = 0;
};

Result<std::unique_ptr<Server>> Server::Create(const ServerConfig& config) {
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<tracing::Tracer> tracer,
                            tracing::Tracer::Create(config.trace, config.trace_target));
  auto impl = std::make_unique<Impl>(config, std::move(tracer));
  HEADRACE_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Status Server::LoadModels() { return impl_->LoadModels(); }
bool Server::Stop() { return impl_->Stop(); }
std::uint16_t Server::http_port() const { return impl_->http_port(); }
std::uint16_t Server::metrics_port() const { return impl_->metrics_port(); }

}  // namespace headrace::server

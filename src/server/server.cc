#include "server/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/checked_math.h"
#include "base/log.h"
#include "base/topology.h"
#include "device/device_memory.h"
#include "device/nvml.h"
#include "engine/instance_placer.h"
#include "engine/registry.h"
#include "frontend/access_gate.h"
#include "frontend/front_end.h"
#include "plugin/plugin_host.h"
#include "plugin/worker_services.h"
#include "repository/model_manager.h"
#include "repository/online_scaling.h"
#include "repository/variant_machine.h"
#include "scaling/autoscaler.h"
#include "server/backends.h"
#include "server/gpu_figures.h"
#include "server/grpc_compression_level.h"
#include "server/in_process_control.h"
#include "server/listen_address.h"
#include "server/listeners.h"
#include "server/model_services.h"
#include "server/process.h"
#include "server/startup_report.h"
#include "server/torchserve_side.h"
#include "store/model_store.h"
#include "telemetry/gpu_metrics.h"
#include "telemetry/process_metrics.h"
#include "tracing/tracer.h"

namespace headrace::server {
namespace {

repository::ModelManagerOptions ManagerOptions(
    const ServerConfig& config, const std::shared_ptr<device::DeviceMemory>& device_memory,
    BlockPool& pool, const ModelServices& services) {
  repository::ModelManagerOptions options;
  options.pool = &pool;
  options.cache = services.cache;
  options.limiter = services.limiter;
  options.agents = services.agents;
  options.cpu = services.cpu;
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
  options.placer = std::make_shared<engine::InstancePlacer>(Topology::Read(), config.host_policies,
                                                            config.pin_instances);
  for (const auto& [backend, settings] : config.backend_config) {
    const auto count = settings.find("intra_op_thread_count");
    if (count != settings.end()) {
      // A number that makes no sense is the backend's to refuse.
      options.thread_counts[backend] = ParseDecimal<std::uint16_t>(count->second).value_or(0);
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
      .fair_to_clients = config.fair_queues,
      .batch_retry_credit = static_cast<std::uint32_t>(config.batch_retry_credit),
      .hold_until_count = config.hold_until_count,
      .hold_until_backlog_count = config.hold_until_backlog_count};
  options.namespaces = config.model_namespacing;
  options.links_may_leave = config.allow_links_outside_repository;
  options.variants = {.wish = config.model_variants,
                      .machine = repository::ThisMachine(),
                      .links_may_leave = config.allow_links_outside_repository};
  options.poll_interval = static_cast<Nanos>(config.repository_poll_s) * kSecond;
  options.allow_code_override = config.allow_code_override;
  options.override_byte_size_max = config.override_byte_size_max;
  options.archives.byte_size_max = config.archive_byte_size_max;
  options.archives.entry_byte_size_max = config.archive_entry_byte_size_max;
  options.archives.entry_count_max = config.archive_entry_count_max;
  options.unload_timeout = static_cast<Nanos>(config.exit_timeout_s) * kSecond;
  return options;
}

// What the model store has of the model manager's options.
store::ModelStoreOptions StoreOptions(const repository::ModelManagerOptions& manager) {
  store::ModelStoreOptions options;
  options.archives = manager.archives;
  options.queue_limits = manager.queue_limits;
  options.thread_count = manager.load_thread_count;
  options.gpu_ids = manager.gpu_ids;
  options.placer = manager.placer;
  options.thread_counts = manager.thread_counts;
  options.cpu = manager.cpu;
  return options;
}

plugin::PluginHostOptions HostOptions(const ServerConfig& config,
                                      std::shared_ptr<device::DeviceMemory> device_memory) {
  plugin::PluginHostOptions options;
  options.backend_directory = config.backend_directory.empty() ? ProgramDirectory() + "/backends"
                                                               : config.backend_directory;
  options.host_library_directory = config.host_library_directory;
  options.backend_config = config.backend_config;
  options.auto_complete_config = !config.disable_auto_complete_config;
  options.compute_capability_min = config.compute_capability_min;
  options.device_memory = std::move(device_memory);
  return options;
}

Backends::Options BackendOptions(const ServerConfig& config) {
  return {.python_directory = config.python_directory.empty() ? ProgramDirectory() + "/python"
                                                              : config.python_directory,
          .debug_model = config.debug_model,
          .backend_config = config.backend_config};
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
  options.header_forward_pattern = config.http_header_forward_pattern;
  options.client_header = config.client_header;
  options.grpc_header_forward_pattern = config.grpc_header_forward_pattern;
  options.grpc_reflection = config.grpc_reflection;
  options.grpc_stream_request_count_max = config.grpc_stream_request_count_max;
  options.grpc_stream_unsent_byte_size_max = config.grpc_stream_unsent_byte_size_max;
  options.http_stream_unsent_byte_size_max = config.http_stream_unsent_byte_size_max;
  options.grpc_response_compression = GrpcCompressionLevelOf(config.grpc_response_compression)
                                          .value_or(net::GrpcCompressionLevel::kNone);
  options.sequence_id_header = config.torchserve.ts_header_key_sequence_id;
  options.sequence_start_header = config.torchserve.ts_header_key_sequence_start;
  options.shared_memory.allowed = config.allow_client_shm;
  options.shared_memory.key_prefix = config.client_shm_key_prefix;
  options.shared_memory.region_count_max = config.client_shm_region_count_max;
  return options;
}

frontend::AccessPolicy PolicyOf(const std::vector<std::string>& rules) {
  frontend::AccessPolicy policy;
  for (const std::string& rule : rules) {
    HEADRACE_CHECK(policy.AddRule(rule).ok());
  }
  return policy;
}

}  // namespace

// Members in the order in which they are made; they end in the reverse order.
class Server::Impl {
 public:
  Impl(const ServerConfig& config, ModelServices services, std::unique_ptr<tracing::Tracer> tracer,
       torchserve::LogLines* log)
      : config_(config),
        log_(log),
        services_(std::move(services)),
        tracer_(std::move(tracer)),
        device_memory_(FindGpus(config)),
        pool_({.in_use_byte_size_max = config.memory_budget_byte_size,
               .idle_byte_size_max = config.memory_idle_byte_size,
               .device_memory = device_memory_}),
        plugins_(HostOptions(config, device_memory_)),
        backends_(BackendOptions(config), plugins_, worker_services_),
        models_(ManagerOptions(config, device_memory_, pool_, services_), backends_, registry_,
                clock_),
        front_end_(FrontOptions(config), registry_, models_, *tracer_, pool_, clock_) {
    front_end_.services().profiler.SetDeviceMemoryReader(DeviceMemoryReaderOf(device_memory_));
    plugins_.SetServer(control_);
    worker_services_.SetServer(control_);
    front_end_.AddMetricSource(plugins_.metrics());
    front_end_.AddMetricSource(failures_);
    front_end_.AddMetricSource(online_);
    if (services_.cache != nullptr) {
      front_end_.AddMetricSource(*services_.cache_metrics);
    }
    if (services_.cpu != nullptr) {
      front_end_.AddMetricSource(*services_.cpu);
    }
    if (services_.limiter != nullptr) {
      front_end_.AddMetricSource(*services_.limiter);
    }
    if (config.allow_cpu_metrics) {
      front_end_.AddMetricSource(process_metrics_);
    }
    if (gpu_metrics_ != nullptr) {
      front_end_.AddMetricSource(*gpu_metrics_);
    }
  }

  Status Listen() {
    if (config_.torchserve.enabled) {
      HEADRACE_ASSIGN_OR_RETURN(
          torchserve_,
          TorchServeSide::Create(
              config_, StoreOptions(ManagerOptions(config_, device_memory_, pool_, services_)),
              {backends_, registry_, front_end_, pool_, log_, clock_, GpuFiguresOf(device_memory_),
               failures_, http_gate_, grpc_gate_}));
      worker_services_.SetMetricLines(torchserve_->metric_lines());
    }
    HEADRACE_ASSIGN_OR_RETURN(
        listeners_,
        Listeners::Open(config_,
                        {.v2 = http_gate_,
                         .grpc = grpc_gate_,
                         .metrics = front_end_.metrics_handler(),
                         .torchserve = torchserve_ == nullptr ? nullptr : &torchserve_->apis(),
                         .access_log = log_},
                        pool_, clock_));
    front_end_.AddMetricSource(listeners_->metrics());
    return OkStatus();
  }

  Status LoadModels() {
    HEADRACE_RETURN_IF_ERROR(models_.LoadAtStart());
    if (!config_.torchserve.program) {
      ReportStart(config_, {*services_.agents, backends_, models_});
    }
    if (torchserve_ != nullptr) {
      HEADRACE_RETURN_IF_ERROR(torchserve_->LoadModels());
    }
    if (!models_.AllLoaded() && config_.exit_on_error) {
      return Internal(
          "failed to load all models; see the log, or use --exit-on-error=false to serve the "
          "others");
    }
    listeners_->LogStarted();
    return OkStatus();
  }

  bool Stop(std::uint64_t exit_timeout_s) {
    const Nanos end = clock_.Now() + static_cast<Nanos>(exit_timeout_s) * kSecond;
    const auto left = [&] { return std::max<Nanos>(0, end - clock_.Now()); };
    front_end_.SetDraining();
    online_.Stop();
    if (torchserve_ != nullptr) {
      torchserve_->BeginStop();
    }
    bool clean = listeners_->Drain(left());
    if (torchserve_ != nullptr) {
      clean = torchserve_->Stop(left()) && clean;
    }
    clean = models_.Shutdown(left()) && clean;
    listeners_->StopMetrics();
    return clean;
  }

  const ServerConfig& config() const { return config_; }
  plugin::ServerControl& control() { return control_; }
  Listeners& listeners() { return *listeners_; }

 private:
  frontend::BrowserRules Browsers() const {
    const auto addresses = ParseListenAddresses(config_.http_address);
    const bool loopback = addresses.ok() && std::all_of(addresses->begin(), addresses->end(),
                                                        [](const ListenAddress& address) {
                                                          return address.loopback;
                                                        });
    return {.loopback = loopback, .allowed_hosts = config_.management_allowed_hosts};
  }

  const ServerConfig config_;
  torchserve::LogLines* const log_;
  const ModelServices services_;
  const Clock& clock_ = Clock::Real();
  const std::unique_ptr<tracing::Tracer> tracer_;
  const std::shared_ptr<device::DeviceMemory> device_memory_;  // null: no GPU
  BlockPool pool_;
  engine::Registry registry_;
  plugin::PluginHost plugins_;
  plugin::WorkerServices worker_services_;
  Backends backends_;
  repository::ModelManager models_;
  frontend::FrontEnd front_end_;
  repository::OnlineScaling online_models_{models_};
  scaling::Autoscaler online_{{.policy = {}, .idle_interval = kSecond}, online_models_, clock_};
  InProcessControl control_{FrontOptions(config_), registry_, models_, front_end_};
  telemetry::ProcessMetrics process_metrics_{clock_};
  const std::unique_ptr<telemetry::GpuMetrics> gpu_metrics_ =
      MakeGpuMetrics(config_, device_memory_, clock_);
  // The handlers of the v2 protocol stand behind these; the options' table has checked the rules.
  frontend::FailureBudget failures_{config_.key_failures_per_second, clock_};
  frontend::HttpAccessGate http_gate_{PolicyOf(config_.http_restricted_apis), Browsers(), failures_,
                                      front_end_.v2_handler()};
  frontend::GrpcAccessGate grpc_gate_{PolicyOf(config_.grpc_restricted_protocols), failures_,
                                      front_end_.grpc_handler()};
  std::unique_ptr<TorchServeSide> torchserve_;  // null: this is none
  std::unique_ptr<Listeners> listeners_;
};

Result<std::unique_ptr<Server>> Server::Create(const ServerConfig& config,
                                               torchserve::LogLines* log) {
  HEADRACE_RETURN_IF_ERROR(engine::CheckHostPolicies(config.host_policies, Topology::Read()));
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<tracing::Tracer> tracer,
                            tracing::Tracer::Create(config.trace, config.trace_target));
  HEADRACE_ASSIGN_OR_RETURN(ModelServices services, MakeModelServices(config));
  auto impl = std::make_unique<Impl>(config, std::move(services), std::move(tracer), log);
  HEADRACE_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Status Server::LoadModels() { return impl_->LoadModels(); }
bool Server::Stop() { return impl_->Stop(impl_->config().exit_timeout_s); }
bool Server::Stop(std::uint64_t exit_timeout_s) { return impl_->Stop(exit_timeout_s); }
plugin::ServerControl& Server::control() { return impl_->control(); }
void Server::ReloadCertificates() { impl_->listeners().ReloadCertificates(); }
std::uint16_t Server::http_port() const { return impl_->listeners().http_port(); }
std::uint16_t Server::grpc_port() const { return impl_->listeners().grpc_port(); }
std::uint16_t Server::metrics_port() const { return impl_->listeners().metrics_port(); }

}  // namespace headrace::server

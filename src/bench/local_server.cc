#include "bench/local_server.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <utility>

#include "bench/child_process.h"

extern char** environ;

namespace headrace::bench {
namespace {

constexpr std::size_t kLastLinesMax = 50;

// The number behind the last colon of the address that follows `mark`; 0 = the line has no mark.
std::uint16_t PortBehind(std::string_view line, std::string_view mark) {
  const std::size_t at = line.find(mark);
  if (at == std::string_view::npos) {
    return 0;
  }
  std::string_view address = line.substr(at + mark.size());
  address = address.substr(0, address.find_first_of(" \t\r"));
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  if (colon != std::string_view::npos) {
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  }
  return port;
}

Result<std::string> MakeFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "headrace-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return Unavailable("no temporary folder '{}': {}", pattern, std::strerror(errno));
  }
  return pattern;
}

}  // namespace

class LocalServer::Impl {
 public:
  explicit Impl(LocalServerOptions options) : options_(std::move(options)) {}

  ~Impl() {
    child_.reset();
    if (!folder_.empty()) {
      std::error_code ignored;
      std::filesystem::remove_all(folder_, ignored);
    }
  }

  Status Start() {
    HEADRACE_RETURN_IF_ERROR(Spawn());
    return WaitStarted();
  }

  bool Running() const { return child_->Running(); }
  int Stop(Nanos grace) { return child_->Stop(grace); }

  std::string LastLines() {
    const std::lock_guard lock(lines_mutex_);
    std::string text;
    for (const std::string& line : last_lines_) {
      text += line + '\n';
    }
    return text;
  }

  const LocalServerPorts& ports() const { return ports_; }

 private:
  bool torchserve() const { return !options_.model_store.empty(); }

  Result<std::vector<std::string>> Arguments() {
    std::vector<std::string> arguments;
    if (torchserve()) {
      const std::string keys = folder_ + "/config.properties";
      std::ofstream file(keys);
      file << "inference_address=http://127.0.0.1:0\nmanagement_address=http://127.0.0.1:0\n"
              "metrics_address=http://127.0.0.1:0\ngrpc_inference_port=0\ngrpc_management_port=0\n";
      for (const auto& [key, value] : options_.torchserve_keys) {
        file << key << '=' << value << '\n';
      }
      if (!file.flush()) {
        return Unavailable("'{}' cannot be written", keys);
      }
      arguments = {"headrace",
                   "torchserve",
                   "--start",
                   "--foreground",
                   "--ncs",
                   "--disable-token-auth",
                   "--enable-model-api",
                   "--model-store",
                   options_.model_store,
                   "--ts-config",
                   keys};
    } else {
      arguments = {"headrace",
                   "serve",
                   "--http-address=127.0.0.1",
                   "--http-port=0",
                   "--metrics-port=0",
                   "--grpc-port=0",
                   "--exit-on-error=false",
                   "--model-control-mode=explicit"};
      for (const std::string& repository : options_.model_repositories) {
        arguments.push_back("--model-repository=" + repository);
      }
      for (const std::string& model : options_.load_models) {
        arguments.push_back("--load-model=" + model);
      }
    }
    arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
    return arguments;
  }

  std::vector<std::string> Environment() const {
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string_view text = *variable;
      const bool replaced =
          torchserve() &&
          (text.starts_with("TMPDIR=") || text.starts_with("TS_CONFIG_FILE=") ||
           text.starts_with("LOG_LOCATION=") || text.starts_with("METRICS_LOCATION="));
      if (!replaced) {
        environment.emplace_back(text);
      }
    }
    if (torchserve()) {  // its pid file and its logs
      environment.push_back("TMPDIR=" + folder_);
      environment.push_back("LOG_LOCATION=" + folder_);
      environment.push_back("METRICS_LOCATION=" + folder_);
    }
    return environment;
  }

  Status Spawn() {
    if (options_.model_repositories.empty() == options_.model_store.empty()) {
      return InvalidArgument("a local server needs model repositories or a model store");
    }
    if (torchserve()) {
      HEADRACE_ASSIGN_OR_RETURN(folder_, MakeFolder());
      options_.model_store = std::filesystem::absolute(options_.model_store).string();
    }
    if (!options_.log_file.empty()) {
      log_.open(options_.log_file, std::ios::app);
      if (!log_) {
        return Unavailable("'{}' cannot be written", options_.log_file);
      }
    }
    ChildProcessOptions child;
    child.program = options_.program;
    HEADRACE_ASSIGN_OR_RETURN(child.arguments, Arguments());
    child.environment = Environment();
    child.directory = folder_;
    child.on_line = [this](const std::string& line) { TakeLine(line); };
    child.on_end = [this] {
      const std::lock_guard lock(lines_mutex_);
      output_ended_ = true;
      news_.notify_all();
    };
    HEADRACE_ASSIGN_OR_RETURN(child_, ChildProcess::Start(std::move(child)));
    return OkStatus();
  }

  void TakeLine(const std::string& line) {
    if (log_.is_open()) {
      log_ << line << '\n' << std::flush;
    }
    {
      const std::lock_guard lock(lines_mutex_);
      last_lines_.push_back(line);
      if (last_lines_.size() > kLastLinesMax) {
        last_lines_.pop_front();
      }
      if (!started_) {
        NotePorts(line);
        news_.notify_all();
      }
    }
    if (options_.on_line) {
      options_.on_line(line);
    }
  }

  // Under lines_mutex_.
  void NotePorts(std::string_view line) {
    const auto note = [&](std::uint16_t& port, std::string_view mark) {
      if (const std::uint16_t found = PortBehind(line, mark); found != 0) {
        port = found;
      }
    };
    if (torchserve()) {
      note(ports_.inference, "Inference API bind to: ");
      note(ports_.management, "Management API bind to: ");
      note(ports_.metrics, "Metrics API bind to: ");
      started_ = ports_.inference != 0 && ports_.management != 0 && ports_.metrics != 0;
    } else {
      note(ports_.grpc, "Started GRPCInferenceService at ");
      note(ports_.http, "Started HTTPService at ");
      note(ports_.metrics, "Started Metrics Service at ");
      started_ = ports_.http != 0 && ports_.metrics != 0;
    }
  }

  Status WaitStarted() {
    const Nanos end = Clock::Real().Now() + options_.start_max;
    std::unique_lock lock(lines_mutex_);
    while (!started_ && !output_ended_) {
      if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) {
        return Cancelled("interrupted while the server started");
      }
      if (Clock::Real().Now() >= end) {
        lock.unlock();
        return Unavailable("the server did not start within {} s; it said:\n{}",
                           options_.start_max / kSecond, LastLines());
      }
      news_.wait_for(lock, std::chrono::milliseconds(50));
    }
    if (!started_) {
      lock.unlock();
      return Unavailable("the server ended as it started; it said:\n{}", LastLines());
    }
    return OkStatus();
  }

  LocalServerOptions options_;
  std::string folder_;
  std::ofstream log_;

  std::mutex lines_mutex_;  // guards what follows; ports_ is fixed once started_
  std::condition_variable news_;
  std::deque<std::string> last_lines_;
  LocalServerPorts ports_;
  bool started_ = false;
  bool output_ended_ = false;

  std::unique_ptr<ChildProcess> child_;
};

LocalServer::LocalServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalServer::~LocalServer() = default;

Result<std::unique_ptr<LocalServer>> LocalServer::Start(LocalServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  HEADRACE_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<LocalServer>(new LocalServer(std::move(impl)));
}

const LocalServerPorts& LocalServer::ports() const { return impl_->ports(); }
bool LocalServer::Running() const { return impl_->Running(); }
std::string LocalServer::LastLines() const { return impl_->LastLines(); }
int LocalServer::Stop(Nanos grace) { return impl_->Stop(grace); }

load::TargetSpec LocalServer::Target(load::Protocol protocol) const {
  load::TargetSpec target;
  target.protocol = protocol;
  target.host = "127.0.0.1";
  target.port = protocol == load::Protocol::kV2Grpc                   ? ports().grpc
                : protocol == load::Protocol::kTorchServe             ? ports().inference
                : ports().http == 0 /* a TorchServe speaks v2, too */ ? ports().inference
                                                                      : ports().http;
  return target;
}

load::ControlSpec LocalServer::Control() const {
  load::ControlSpec spec;
  spec.target = Target(load::Protocol::kV2Http);
  spec.metrics_url = "http://127.0.0.1:" + std::to_string(ports().metrics) + "/metrics";
  return spec;
}

}  // namespace headrace::bench

#include "bench/local_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/unique_fd.h"

extern char** environ;

namespace headrace::bench {
namespace {

constexpr std::size_t kLastLinesMax = 50;
constexpr std::size_t kLineByteSizeMax = 16 * 1024;

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

class PointerArray {
 public:
  explicit PointerArray(std::vector<std::string> strings) : strings_(std::move(strings)) {
    for (std::string& text : strings_) {
      pointers_.push_back(text.data());
    }
    pointers_.push_back(nullptr);
  }
  char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

}  // namespace

class LocalServer::Impl {
 public:
  explicit Impl(LocalServerOptions options) : options_(std::move(options)) {}

  ~Impl() {
    Stop(10 * kSecond);
    if (!folder_.empty()) {
      std::error_code ignored;
      std::filesystem::remove_all(folder_, ignored);
    }
  }

  Status Start() {
    HEADRACE_RETURN_IF_ERROR(Spawn());
    reader_ = std::thread([this] { Read(); });
    return WaitStarted();
  }

  bool Running() {
    const std::lock_guard lock(process_mutex_);
    Reap(WNOHANG);
    return !exit_status_;
  }

  int Stop(Nanos grace) {
    {
      const std::lock_guard lock(process_mutex_);
      if (pid_ > 0 && !exit_status_) {
        ::kill(pid_, SIGTERM);
        for (const Nanos end = Clock::Real().Now() + grace; !exit_status_;) {
          Reap(WNOHANG);
          if (!exit_status_ && Clock::Real().Now() >= end) {
            ::kill(-pid_, SIGKILL);
            Reap(0);
          } else if (!exit_status_) {
            ::poll(nullptr, 0, 5);
          }
        }
      }
      if (pid_ > 0) {
        ::kill(-pid_, SIGKILL);  // what it left behind holds its output open
      }
    }
    if (reader_.joinable()) {
      reader_.join();
    }
    return exit_status_.value_or(0);
  }

  std::string LastLines() {
    const std::lock_guard lock(lines_mutex_);
    std::string text;
    for (const std::string& line : last_lines_) {
      text += line + '\n';
    }
    return text;
  }

  const LocalServerPorts& ports() const { return ports_; }
  pid_t pid() const { return pid_; }

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
    HEADRACE_ASSIGN_OR_RETURN(std::vector<std::string> list, Arguments());
    const PointerArray arguments(std::move(list));
    const PointerArray environment(Environment());
    int output[2], failure[2];
    if (::pipe2(output, O_CLOEXEC) != 0) {
      return Unavailable("no pipe: {}", std::strerror(errno));
    }
    output_.Reset(output[0]);
    UniqueFd writer(output[1]);
    if (::pipe2(failure, O_CLOEXEC) != 0) {
      return Unavailable("no pipe: {}", std::strerror(errno));
    }
    const UniqueFd failure_reader(failure[0]);
    UniqueFd failure_writer(failure[1]);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) {
      return Unavailable("no process can be started: {}", std::strerror(errno));
    }
    if (pid_ == 0) {
      RunChild(arguments.get(), environment.get(), writer.get(), failure_writer.get(), parent);
    }
    ::setpgid(pid_, pid_);
    writer.Reset();
    failure_writer.Reset();
    int error = 0;
    if (::read(failure_reader.get(), &error, sizeof error) == sizeof error) {
      Reap(0);
      return Unavailable("'{}' cannot be started: {}", options_.program, std::strerror(error));
    }
    return OkStatus();
  }

  // Between fork and exec: system calls only.
  [[noreturn]] void RunChild(char* const* arguments, char* const* environment, int output,
                             int failure, pid_t parent) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = ::open("/dev/null", O_RDONLY);
    if (::getppid() == parent && ::dup2(null, 0) == 0 && ::dup2(output, 1) == 1 &&
        ::dup2(output, 2) == 2 && (folder_.empty() || ::chdir(folder_.c_str()) == 0)) {
      ::execve(options_.program.c_str(), arguments, environment);
    }
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(failure, &error, sizeof error);
    ::_exit(127);
  }

  void Read() {
    std::string line;
    char bytes[4096];
    for (;;) {
      const ssize_t count = ::read(output_.get(), bytes, sizeof bytes);
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count <= 0) {
        break;
      }
      for (const char c : std::string_view(bytes, static_cast<std::size_t>(count))) {
        if (c == '\n') {
          TakeLine(line);
          line.clear();
        } else if (line.size() < kLineByteSizeMax) {
          line += c;
        }
      }
    }
    if (!line.empty()) {
      TakeLine(line);
    }
    const std::lock_guard lock(lines_mutex_);
    output_ended_ = true;
    news_.notify_all();
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

  // Under process_mutex_, or before there is a second thread.
  void Reap(int flags) {
    int status = 0;
    if (exit_status_ || pid_ <= 0) {
      return;
    }
    pid_t reaped = 0;
    do {
      reaped = ::waitpid(pid_, &status, flags);
    } while (reaped < 0 && errno == EINTR);
    if (reaped == pid_) {
      exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else if (reaped < 0) {
      exit_status_ = 255;
    }
  }

  LocalServerOptions options_;
  std::string folder_;
  std::ofstream log_;
  UniqueFd output_;
  std::thread reader_;

  std::mutex process_mutex_;  // guards exit_status_
  pid_t pid_ = -1;
  std::optional<int> exit_status_;

  std::mutex lines_mutex_;  // guards what follows; ports_ is fixed once started_
  std::condition_variable news_;
  std::deque<std::string> last_lines_;
  LocalServerPorts ports_;
  bool started_ = false;
  bool output_ended_ = false;
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

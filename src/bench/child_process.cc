#include "bench/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/unique_fd.h"

namespace headrace::bench {
namespace {

constexpr std::size_t kLineByteSizeMax = 16 * 1024;

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

class ChildProcess::Impl {
 public:
  explicit Impl(ChildProcessOptions options) : options_(std::move(options)) {}
  ~Impl() { Stop(10 * kSecond); }

  Status Start() {
    HEADRACE_RETURN_IF_ERROR(Spawn());
    reader_ = std::thread([this] { Read(); });
    return OkStatus();
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

 private:
  Status Spawn() {
    const PointerArray arguments(options_.arguments), environment(options_.environment);
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
        ::dup2(output, 2) == 2 &&
        (options_.directory.empty() || ::chdir(options_.directory.c_str()) == 0)) {
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
          options_.on_line(line);
          line.clear();
        } else if (line.size() < kLineByteSizeMax) {
          line += c;
        }
      }
    }
    if (!line.empty()) {
      options_.on_line(line);
    }
    options_.on_end();
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

  const ChildProcessOptions options_;
  UniqueFd output_;
  std::thread reader_;

  std::mutex process_mutex_;  // guards exit_status_
  pid_t pid_ = -1;
  std::optional<int> exit_status_;
};

ChildProcess::ChildProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChildProcess::~ChildProcess() = default;

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(ChildProcessOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  HEADRACE_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<ChildProcess>(new ChildProcess(std::move(impl)));
}

bool ChildProcess::Running() const { return impl_->Running(); }
int ChildProcess::Stop(Nanos grace) { return impl_->Stop(grace); }

}  // namespace headrace::bench

#include "cli/torchserve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/log_sink.h"
#include "base/unique_fd.h"
#include "cli/pid_file.h"
#include "cli/run_server.h"
#include "server/process.h"
#include "server/torchserve_settings.h"
#include "torchserve/log_writer.h"

namespace headrace::cli {
namespace {

constexpr int kStopLimitMs = 60'000;
constexpr std::string_view kVersion = "0.12.0";  // of the TorchServe that this one is like
// What Python workers print comes through this file of src/worker.
constexpr std::string_view kSourceOfModelLines = "keeper_turn.cc";

// All that the user is told goes to standard output, as TorchServe does.
int Say(std::string_view text, int exit_status) {
  std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
  std::fflush(stdout);
  return exit_status;
}

const char* Variable(const char* name) { return std::getenv(name); }

std::string PidFilePath() { return server::TemporaryDirectory(Variable) + "/.model_server.pid"; }

// The server's own entries, as lines of TorchServe's.
class ServerEntries final : public LogSink {
 public:
  explicit ServerEntries(torchserve::LogLines& lines) : lines_(lines) {}
  void Write(LogLevel level, std::string_view file, std::string_view message) override {
    lines_.Write(
        file == kSourceOfModelLines ? torchserve::LogName::kModel : torchserve::LogName::kServer,
        level, {}, message);
  }

 private:
  torchserve::LogLines& lines_;
};

// Until the process has ended; false when it has not within the limit.
bool WaitForEnd(pid_t process) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!handle) {
    return errno == ESRCH;
  }
  pollfd wanted{handle.get(), POLLIN, 0};
  int result;
  do {
    result = ::poll(&wanted, 1, kStopLimitMs);
  } while (result < 0 && errno == EINTR);
  return result == 1;
}

int Stop(const PidFile::Taken& taken) {
  if (taken.running < 0) {
    return Say("TorchServe is just being started; try again.", 1);
  }
  if (taken.running == 0) {
    taken.file.Remove();
    return Say("TorchServe is not currently running.", 0);
  }
  if (::kill(taken.running, SIGTERM) != 0) {
    taken.file.Remove();
    return Say(errno == ESRCH
                   ? "TorchServe already stopped."
                   : fmt::format("TorchServe cannot be stopped: {}", std::strerror(errno)),
               errno == ESRCH ? 0 : 1);
  }
  ::unlink("key_file.json");
  if (!WaitForEnd(taken.running)) {
    return Say("Stopping TorchServe took too long.", 1);
  }
  taken.file.Remove();
  return Say("TorchServe has stopped.", 0);
}

// Handlers learn what the headers of sequences are called by the variables that TorchServe has for
// it. Before there are threads.
void NameSequenceHeaders(const server::TorchServeConfig& config) {
  ::setenv("TS_REQUEST_SEQUENCE_ID", config.ts_header_key_sequence_id.c_str(), 1);
  ::setenv("TS_REQUEST_SEQUENCE_START", config.ts_header_key_sequence_start.c_str(), 1);
  ::setenv("TS_REQUEST_SEQUENCE_END", config.ts_header_key_sequence_end.c_str(), 1);
}

// Serves in this process. `started`: a pipe that hears of the listeners; -1: nobody waits.
int Run(const server::ResolvedTorchServe& resolved, const PidFile& pid_file, int started) {
  const server::TorchServeConfig& config = resolved.config.torchserve;
  NameSequenceHeaders(config);
  torchserve::LogWriterOptions options;
  options.log_directory = config.log_location;
  options.metrics_directory = config.metrics_location;
  torchserve::LogWriter log(std::move(options));
  SetLogSink(std::make_shared<ServerEntries>(log));
  HEADRACE_LOG_INFO("headrace {}, as a TorchServe {}; configuration: {}; model store: {}",
                    HEADRACE_VERSION, kVersion, resolved.file.empty() ? "none" : resolved.file,
                    config.model_store);
  for (const std::string& warning : resolved.warnings) {
    HEADRACE_LOG_WARNING("{}", warning);
  }
  const auto tell = [&](std::string_view text) {
    if (started >= 0) {
      const ssize_t written = ::write(started, text.data(), text.size());
      static_cast<void>(written);
      ::close(std::exchange(started, -1));
    }
  };
  const int status = RunServer(resolved.config,
                               {.listening = [&] { tell("+"); },
                                .loaded = [&] { log.WritePlain("Model server started."); },
                                .failed =
                                    [&](const Status& failure) {
                                      HEADRACE_LOG_ERROR("{}", failure.message());
                                      log.Flush();
                                      tell("-");
                                    }},
                               &log);
  pid_file.Remove();
  SetLogSink(nullptr);
  return status;
}

// The server as a child. Returns when it listens, or has failed to.
int Spawn(const server::ResolvedTorchServe& resolved, const PidFile& pid_file) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Say(fmt::format("cannot start: {}", std::strerror(errno)), 1);
  }
  UniqueFd reading(ends[0]), writing(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) {
    return Say(fmt::format("cannot start: {}", std::strerror(errno)), 1);
  }
  if (child == 0) {
    reading.Reset();
    const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup2(nothing.get(), STDIN_FILENO);
    std::exit(Run(resolved, pid_file, writing.Release()));
  }
  writing.Reset();
  const Status written = pid_file.Write(child);
  char answer = '-';
  while (::read(reading.get(), &answer, 1) < 0 && errno == EINTR) {
  }
  if (answer != '+') {
    pid_file.Remove();
    return 1;
  }
  return written.ok() ? 0 : Say(written.message(), 1);
}

int Start(const server::TorchServeFlags& flags, const PidFile::Taken& taken) {
  if (taken.running != 0) {
    return Say("TorchServe is already running, please use torchserve --stop to stop TorchServe.",
               1);
  }
  if (taken.orphaned) {
    Say("Removing orphan pid file.", 0);
  }
  auto resolved = server::ResolveTorchServe(flags, Variable);
  if (!resolved.ok()) {
    taken.file.Remove();
    return Say(resolved.status().message(), 1);
  }
  server::HardenProcess();
  if (!flags.foreground) {
    return Spawn(*resolved, taken.file);
  }
  if (const Status written = taken.file.Write(::getpid()); !written.ok()) {
    return Say(written.message(), 1);
  }
  return Run(*resolved, taken.file, -1);
}

}  // namespace

int TorchServe(const std::vector<std::string>& arguments) {
  const auto flags = server::ParseTorchServeFlags(arguments);
  if (!flags.ok()) {
    std::fprintf(stderr, "%storchserve: error: %s\n", server::TorchServeUsage().c_str(),
                 flags.status().message().c_str());
    return 2;
  }
  if (flags->help) {
    return Say(server::TorchServeUsage(), 0);
  }
  if (flags->version) {
    return Say(fmt::format("TorchServe Version is {}", kVersion), 0);
  }
  auto taken = PidFile::Take(PidFilePath());
  if (!taken.ok()) {
    return Say(taken.status().message(), 1);
  }
  return flags->stop ? Stop(*taken) : Start(*flags, *taken);
}

}  // namespace headrace::cli

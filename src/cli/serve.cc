#include "cli/serve.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.h"
#include "server/option_sources.h"
#include "server/process.h"
#include "server/server.h"

namespace headrace::cli {
namespace {

int Fail(const Status& status) {
  std::fprintf(stderr, "headrace: %s\n", status.message().c_str());
  return 1;
}

// Waits for signals on a thread of its own, so that they work in every phase: the first asks for an
// orderly end through a pipe, the second ends the process.
class SignalWatcher {
 public:
  // Blocks the signals for this thread and all that it starts later.
  SignalWatcher() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      sigaddset(&signals_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    if (pipe(pipe_) != 0) {
      std::abort();
    }
  }

  // What SIGHUP does; an empty function: nothing.
  void OnReload(std::function<void()> reload) {
    const std::lock_guard lock(mutex_);
    reload_ = std::move(reload);
  }

  // Ends the wait as a first signal would.
  void RequestStop() {
    const ssize_t written = write(pipe_[1], "x", 1);
    static_cast<void>(written);
  }

  void Start() {
    std::thread([this] { Watch(); }).detach();
  }

  // Blocks until the first SIGINT or SIGTERM.
  void Wait() {
    char byte;
    while (read(pipe_[0], &byte, 1) < 0) {
    }
  }

 private:
  void Watch() {
    bool asked = false;
    while (true) {
      int signal = 0;
      if (sigwait(&signals_, &signal) != 0) {
        continue;
      }
      if (signal == SIGHUP) {
        const std::lock_guard lock(mutex_);
        if (reload_) {
          HEADRACE_LOG_INFO("SIGHUP: reading the certificates again");
          reload_();
        }
        continue;
      }
      if (asked) {
        HEADRACE_LOG_WARNING("second signal, stopping at once");
        _exit(1);
      }
      asked = true;
      HEADRACE_LOG_INFO("signal {}, finishing what is in flight", signal);
      RequestStop();
    }
  }

  sigset_t signals_;
  int pipe_[2];
  std::mutex mutex_;  // guards reload_, also while it runs
  std::function<void()> reload_;
};

int Run(const server::ServerConfig& config) {
  // Lives as long as the process: its thread may still wait when this function returns.
  static SignalWatcher signals;
  signals.Start();
  auto created = server::Server::Create(config);
  if (!created.ok()) {
    return Fail(created.status());
  }
  std::unique_ptr<server::Server> server = std::move(created).value();

  signals.OnReload([&server] { server->ReloadCertificates(); });

  // Loading may take long; a signal must not wait for it, so it runs beside the wait.
  Status loaded;
  bool load_failed = false;
  std::thread loading([&] {
    loaded = server->LoadModels();
    if (!loaded.ok()) {
      load_failed = true;
      signals.RequestStop();
    }
  });
  signals.Wait();
  const bool clean = server->Stop();
  signals.OnReload({});
  if (!clean) {
    HEADRACE_LOG_ERROR("Exit timeout expired. Exiting immediately.");
    std::fflush(nullptr);
    _exit(1);
  }
  loading.join();
  if (load_failed) {
    return Fail(loaded);
  }
  HEADRACE_LOG_INFO("stopped");
  return 0;
}

}  // namespace

int Serve(const std::vector<std::string>& arguments) {
  auto resolved = server::ResolveConfig(
      arguments, [](const char* name) -> const char* { return std::getenv(name); });
  if (!resolved.ok()) {
    return Fail(resolved.status());
  }
  if (resolved->help) {
    std::printf(
        "usage: headrace serve --model-repository=DIRECTORY [options]\n%s\n"
        "Other flags: --config=FILE (YAML), --print-config, --print-reference, --help.\n",
        server::OptionsHelp().c_str());
    return 0;
  }
  if (resolved->print_reference) {
    std::fputs(server::OptionsReference().c_str(), stdout);
    return 0;
  }
  if (resolved->print_config) {
    std::fputs(server::PrintConfig(*resolved).c_str(), stdout);
    return 0;
  }
  if (resolved->config.model_repositories.empty()) {
    return Fail(InvalidArgument("--model-repository is required; it names a directory of models"));
  }
  server::HardenProcess();
  if (Status status = ConfigureLog(resolved->config.log); !status.ok()) {
    return Fail(status);
  }
  if (Status status = server::DropPrivileges(resolved->config.run_as_user); !status.ok()) {
    return Fail(status);
  }
  for (const std::string& warning : resolved->warnings) {
    HEADRACE_LOG_WARNING("{}", warning);
  }
  return Run(resolved->config);
}

}  // namespace headrace::cli

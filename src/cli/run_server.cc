#include "cli/run_server.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/log_sink.h"
#include "server/server.h"

namespace headrace::cli {
namespace {

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

void Call(const std::function<void()>& hook) {
  if (hook) {
    hook();
  }
}

}  // namespace

int RunServer(const server::ServerConfig& config, const RunHooks& hooks,
              torchserve::LogLines* log) {
  // Lives as long as the process: its thread may still wait when this function returns.
  static SignalWatcher signals;
  signals.Start();
  auto created = server::Server::Create(config, log);
  if (!created.ok()) {
    hooks.failed(created.status());
    return 1;
  }
  std::unique_ptr<server::Server> server = std::move(created).value();
  Call(hooks.listening);

  signals.OnReload([&server] { server->ReloadCertificates(); });

  // Loading may take long; a signal must not wait for it, so it runs beside the wait.
  Status loaded;
  bool load_failed = false;
  std::thread loading([&] {
    loaded = server->LoadModels();
    if (!loaded.ok()) {
      load_failed = true;
      signals.RequestStop();
    } else {
      Call(hooks.loaded);
    }
  });
  signals.Wait();
  const bool clean = server->Stop();
  signals.OnReload({});
  if (!clean) {
    SetLogSink(nullptr);  // what it has not written by now is lost
    HEADRACE_LOG_ERROR("Exit timeout expired. Exiting immediately.");
    std::fflush(nullptr);
    _exit(1);
  }
  loading.join();
  if (load_failed) {
    hooks.failed(loaded);
    return 1;
  }
  HEADRACE_LOG_INFO("stopped");
  return 0;
}

}  // namespace headrace::cli

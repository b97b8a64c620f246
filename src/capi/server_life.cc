// Entries of family "server" that make and end a server in this process.
#include <dlfcn.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "base/log.h"
#include "capi/server_options.h"
#include "plugin/server_handle.h"
#include "plugin/values.h"
#include "server/server.h"

using headrace::InvalidArgument;
using headrace::Status;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

namespace {

struct InProcessServer : TRITONSERVER_Server {
  std::unique_ptr<headrace::server::Server> server;
  std::uint64_t exit_timeout_s = 30;
  bool stopped = false;
};

// Null for a server that was not made by ServerNew: one that a backend runs in.
InProcessServer* Own(TRITONSERVER_Server* server) {
  return server != nullptr && server->in_process ? static_cast<InProcessServer*>(server) : nullptr;
}

constexpr const char* kNotOwn = "only the program that made a server may end it";

// <directory>/lib/libtritonserver.so -> <directory>; empty if this code is not in that library.
std::filesystem::path InstallDirectory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&InstallDirectory), &info) == 0 ||
      info.dli_fname == nullptr) {
    return {};
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::canonical(info.dli_fname, error);
  return !error && self.filename() == "libtritonserver.so" ? self.parent_path().parent_path()
                                                           : std::filesystem::path();
}

// Backends and caches are looked for beside this library, and find it loaded.
void AddPlaces(headrace::server::ServerConfig& config) {
  const std::filesystem::path directory = InstallDirectory();
  if (directory.empty()) {
    return;
  }
  config.host_library_directory = directory / "lib";
  if (config.backend_directory.empty()) {
    config.backend_directory = directory / "backends";
  }
  if (config.python_directory.empty()) {
    config.python_directory = directory / "python";
  }
  if (config.cache_directory.empty()) {
    config.cache_directory = directory / "caches";
  }
  if (config.repoagent_directory.empty()) {
    config.repoagent_directory = directory / "repoagents";
  }
}

TRITONSERVER_Error* Stop(InProcessServer& server) {
  if (std::exchange(server.stopped, true)) {
    return nullptr;
  }
  return server.server->Stop(server.exit_timeout_s)
             ? nullptr
             : ToTriton(headrace::Internal("Exit timeout expired. Exiting immediately."));
}

}  // namespace

extern "C" {

// Blocks until the models are loaded. The log's settings are those of the process: the last server
// that was made decides them.
TRITONSERVER_Error* TRITONSERVER_ServerNew(TRITONSERVER_Server** server,
                                           TRITONSERVER_ServerOptions* options) {
  *server = nullptr;
  return Answer([&]() -> TRITONSERVER_Error* {
    headrace::server::ServerConfig config = options->config;
    if (config.model_repositories.empty()) {
      return ToTriton(InvalidArgument("--model-repository must be specified"));
    }
    AddPlaces(config);
    if (Status status = headrace::ConfigureLog(config.log); !status.ok()) {
      return ToTriton(status);
    }
    auto created = headrace::server::Server::Create(config);
    if (!created.ok()) {
      return ToTriton(created.status());
    }
    auto made = std::make_unique<InProcessServer>();
    made->server = *std::move(created);
    made->control = &made->server->control();
    made->in_process = true;
    made->exit_timeout_s = config.exit_timeout_s;
    if (Status status = made->server->LoadModels(); !status.ok()) {
      (void)headrace::plugin::TakeTriton(Stop(*made));
      return ToTriton(status);
    }
    *server = made.release();
    return nullptr;
  });
}

// Ends the server as ServerStop does, then takes it away.
TRITONSERVER_Error* TRITONSERVER_ServerDelete(TRITONSERVER_Server* server) {
  InProcessServer* const own = Own(server);
  if (own == nullptr) {
    return RefuseCall(kNotOwn);
  }
  return Answer([&] {
    TRITONSERVER_Error* const error = Stop(*own);
    delete own;
    return error;
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerStop(TRITONSERVER_Server* server) {
  InProcessServer* const own = Own(server);
  return own == nullptr ? RefuseCall(kNotOwn) : Answer([&] { return Stop(*own); });
}

TRITONSERVER_Error* TRITONSERVER_ServerSetExitTimeout(TRITONSERVER_Server* server,
                                                      unsigned int timeout) {
  InProcessServer* const own = Own(server);
  if (own == nullptr) {
    return RefuseCall(kNotOwn);
  }
  own->exit_timeout_s = timeout;
  return nullptr;
}

}  // extern "C"

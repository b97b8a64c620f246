// A server in this process, which the transport sends to and the control asks.
#ifndef HEADRACE_LOAD_IN_PROCESS_SERVER_H_
#define HEADRACE_LOAD_IN_PROCESS_SERVER_H_

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/result.h"
#include "load/target.h"
#include "load/triton_api.h"

namespace headrace::load {

// Made once for a target and put into it, so that everything that is made for the target means the
// same server:
//
//   HEADRACE_ASSIGN_OR_RETURN(target.in_process_server, InProcessServer::Start(target));
//
// The server loads what it is asked for (explicit model control): models are loaded by the first who
// names them. Thread-safe.
class InProcessServer {
 public:
  // With `target.model_repositories` and `target.server_library`. INVALID_ARGUMENT: no repository.
  // UNAVAILABLE: the library; other failures are the server's.
  static Result<std::shared_ptr<InProcessServer>> Start(const TargetSpec& target);
  // The target's own, or one that is started for the caller.
  static Result<std::shared_ptr<InProcessServer>> Of(const TargetSpec& target);
  // Ends it; waits 30 s for requests under way.
  ~InProcessServer();
  InProcessServer(const InProcessServer&) = delete;
  InProcessServer& operator=(const InProcessServer&) = delete;

  const TritonApi& api() const { return *api_; }
  TRITONSERVER_Server* server() const { return server_; }
  // Loads `model`, unless it was loaded or unloaded through this object before.
  Status Need(const std::string& model);
  // Loads, or loads again, with `config_json` ("" = the repository's).
  Status Load(const std::string& model, const std::string& config_json);
  Status Unload(const std::string& model);

 private:
  explicit InProcessServer(std::shared_ptr<const TritonApi> api) : api_(std::move(api)) {}

  const std::shared_ptr<const TritonApi> api_;
  TRITONSERVER_Server* server_ = nullptr;
  std::mutex mutex_;              // guards named_, and is held while a model loads
  std::set<std::string> named_;  // models that were loaded or unloaded
};

// "" as -1, the latest. INVALID_ARGUMENT: no number.
Result<std::int64_t> VersionNumber(const std::string& version);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_IN_PROCESS_SERVER_H_

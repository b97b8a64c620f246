// The server that is tuned: one of our own, or one that runs.
#ifndef HEADRACE_TUNE_TUNE_SERVER_H_
#define HEADRACE_TUNE_TUNE_SERVER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/local_server.h"
#include "bench/result_json.h"
#include "load/server_control.h"
#include "load/target.h"
#include "tune/temporary_folder.h"
#include "tune/tune_options.h"

namespace headrace::tune {

// One thread. Ends a server of our own with it.
class TuneServer {
 public:
  // Blocks until it answers. `models` are loaded by a server of our own; `archive` ("" = none) is
  // served as the first of them. `stop` may be null; borrowed for the call.
  static Result<std::unique_ptr<TuneServer>> Connect(const TuneOptions& options,
                                                     const std::vector<std::string>& models,
                                                     const std::string& archive,
                                                     const std::atomic<bool>* stop);

  load::ServerControl& control() { return *control_; }
  // Where load goes.
  const load::TargetSpec& target() const { return target_; }
  bool own() const { return server_ != nullptr; }
  // What a result document says of any run: its kind, time, command line, seed, machine and target.
  void Describe(const TuneOptions& options, bench::ResultDocument& document) const;

  // FAILED_PRECONDITION where request counters (statistics, or TorchServe's metrics) move while we
  // are idle: others use it. Takes a second. `note` is set where the server does not tell.
  Status LookForOthers(std::string& note);

 private:
  TuneServer() = default;

  std::unique_ptr<TemporaryFolder> archive_;  // outlives the server
  std::unique_ptr<bench::LocalServer> server_;
  load::TargetSpec target_;
  std::unique_ptr<load::ServerControl> control_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TUNE_SERVER_H_

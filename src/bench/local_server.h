// A server of this program's own, for a run that was given none.
#ifndef HEADRACE_BENCH_LOCAL_SERVER_H_
#define HEADRACE_BENCH_LOCAL_SERVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/server_control.h"
#include "load/target.h"

namespace headrace::bench {

struct LocalServerOptions {
  std::string program = "/proc/self/exe";
  // `headrace serve` over these, in explicit model control: only `load_models` are loaded ("*" =
  // all), so that configurations can be changed.
  std::vector<std::string> model_repositories;
  std::vector<std::string> load_models;
  // In their place: `headrace torchserve` over this directory of archives, without tokens and with
  // the model API. `torchserve_keys` are further lines of its config.properties.
  std::string model_store;
  std::map<std::string, std::string> torchserve_keys;
  // Further options, as they would be typed.
  std::vector<std::string> arguments;
  // All that it prints is appended here ("" = nowhere). What it said last is kept in any case.
  std::string log_file;
  // Each line that it prints, on a thread of its own; may be empty.
  std::function<void(std::string_view)> on_line;
  Nanos start_max = 120 * kSecond;
  // Set from a signal handler: Start gives up. May be null; borrowed for Start only.
  const std::atomic<bool>* stop = nullptr;
};

// The ports that it chose (all were asked for as 0); 0 = it does not listen for that.
struct LocalServerPorts {
  std::uint16_t http = 0, grpc = 0, metrics = 0;
  std::uint16_t inference = 0, management = 0;  // TorchServe's; `metrics` is its metrics API then
};

// One ChildProcess, on loopback, which ends with this object, this process, or the thread that
// called Start. Thread-safe but for Stop and destruction.
class LocalServer {
 public:
  // Blocks until it listens and its models are loaded or have failed to (v2: HTTPService is
  // announced after that). UNAVAILABLE with what it said last where it ends instead; CANCELLED by
  // `stop`.
  static Result<std::unique_ptr<LocalServer>> Start(LocalServerOptions options);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  const LocalServerPorts& ports() const;
  // Whether the process still runs.
  bool Running() const;
  // What it said last (50 lines at most), for messages.
  std::string LastLines() const;

  // Where load goes, for a protocol of v2 or TorchServe; everything else of the spec is default.
  load::TargetSpec Target(load::Protocol protocol) const;
  // The same server's side channel over v2 HTTP, with its metrics page.
  load::ControlSpec Control() const;

  // SIGTERM, then SIGKILL when it has not ended after `grace`. Blocks. Twice does no harm. Returns
  // how it ended: 0, an exit status, or 128 + signal.
  int Stop(Nanos grace = 10 * kSecond);

 private:
  class Impl;
  explicit LocalServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_LOCAL_SERVER_H_

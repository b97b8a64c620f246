// What a server is as a TorchServe: makes its parts, connects them, ends them in order
// (docs/torchserve.md).
#ifndef HEADRACE_SERVER_TORCHSERVE_SIDE_H_
#define HEADRACE_SERVER_TORCHSERVE_SIDE_H_

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/backend.h"
#include "engine/registry.h"
#include "frontend/failure_budget.h"
#include "frontend/front_end.h"
#include "net/grpc.h"
#include "net/http.h"
#include "server/server_config.h"
#include "tensor/block_pool.h"

namespace headrace::torchserve {
class Apis;
class LogLines;
struct GpuFigures;
}  // namespace headrace::torchserve

namespace headrace::store {
struct ModelStoreOptions;
}
namespace headrace::worker {
class MetricLineSink;
}

namespace headrace::server {

// Made before the listeners are opened, ended after they are closed. Called from one thread.
class TorchServeSide {
 public:
  // Borrowed; all of it outlives this.
  struct Parts {
    engine::BackendProvider& backends;
    engine::Registry& registry;
    frontend::FrontEnd& front_end;
    BlockPool& pool;
    torchserve::LogLines* log;  // null: no lines
    const Clock& clock;
    std::function<std::vector<torchserve::GpuFigures>()> gpus;  // null: there are none
    frontend::FailureBudget& failures;
    // Those of the v2 protocol, behind their gates.
    net::HttpHandler& v2_http;
    net::GrpcHandler& v2_grpc;
  };

  // `store`: what the store shares with the model manager; the rest of it is the configuration's.
  // Writes the tokens' file. The failure names the key at fault.
  static Result<std::unique_ptr<TorchServeSide>> Create(const ServerConfig& config,
                                                        store::ModelStoreOptions store,
                                                        Parts parts);
  ~TorchServeSide();

  torchserve::Apis& apis();
  // Takes the metrics of handlers.
  worker::MetricLineSink& metric_lines();

  // Loads what the configuration or a snapshot names. Blocks. INVALID_ARGUMENT for a text that
  // cannot be read; models that fail are warned about.
  Status LoadModels();
  // Before the listeners drain: what is being fetched ends, so that its requests can.
  void BeginStop();
  // After the listeners have stopped: the last snapshot, then the models. False if requests were
  // still in flight at the end of `timeout`.
  bool Stop(Nanos timeout);

 private:
  class Impl;
  explicit TorchServeSide(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_SIDE_H_

// One request on its way through a handler, and what handlers may use.
#ifndef HEADRACE_FRONTEND_CALL_H_
#define HEADRACE_FRONTEND_CALL_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "engine/registry.h"
#include "frontend/front_end.h"
#include "frontend/grpc_cells.h"
#include "frontend/header_forwarder.h"
#include "frontend/http_stream_cells.h"
#include "frontend/loop_contexts.h"
#include "frontend/refusal_ledger.h"
#include "frontend/router.h"
#include "frontend/shared_memory_regions.h"
#include "net/http.h"
#include "profiling/profiler.h"
#include "repository/model_manager.h"
#include "tensor/block_pool.h"
#include "tracing/tracer.h"

namespace headrace::frontend {

// What all handlers share. Every member is thread-safe and outlives the calls.
struct Services {
  const FrontEndOptions& options;
  engine::Registry& registry;
  repository::ModelManager& models;
  BlockPool& pool;
  const Clock& clock;
  LoopContexts& loops;
  RefusalLedger& refusals;
  SharedMemoryRegions& shared_memory;
  tracing::Tracer& tracer;
  profiling::Profiler& profiler;
  const HeaderForwarder& http_headers;
  const HeaderForwarder& grpc_metadata;
  GrpcCells& grpc_cells;
  HttpStreamCells& http_stream_cells;
  const std::atomic<bool>& draining;

  // http_input_byte_size_max, with 0 turned into "no limit".
  std::uint64_t InputByteSizeMax() const {
    return options.http_input_byte_size_max == 0 ? UINT64_MAX : options.http_input_byte_size_max;
  }
};

// Lives for one call of a handler, on the exchange's loop. A handler that answers later keeps the
// exchange.
struct Call {
  Services& services;
  LoopContext& loop;
  const RouteMatch& match;
  net::HttpExchangeRef exchange;

  std::string_view body() const { return exchange->body().view(); }
};

// Readiness as all protocols tell it (contracts, Triton 5.5).
bool ServerIsReady(const Services& services);

// The READY model version of that name; `version` empty: the server chooses. Texts and codes are
// the registry's; NOT_FOUND, as for an unknown version, also for one that is 0, has leading zeros
// or is beyond 2^63 - 1 (reliability D6).
Result<engine::ModelHandle> FindModel(std::string_view model, std::string_view version,
                                      const engine::RegistrySnapshot& snapshot);
// The name of the model in a path: as it stands there, unless it has a namespace, whose "::"
// clients escape.
std::string ModelNameOf(const RouteMatch& match);
// The one that a path names.
Result<engine::ModelHandle> FindModel(const RouteMatch& match,
                                      const engine::RegistrySnapshot& snapshot);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_CALL_H_

// What the gRPC front end counts about its streams, for the metrics page.
#ifndef HEADRACE_FRONTEND_GRPC_CELLS_H_
#define HEADRACE_FRONTEND_GRPC_CELLS_H_

#include <atomic>
#include <cstdint>

#include "telemetry/prometheus.h"

namespace headrace::frontend {

// Thread-safe: written by all loops.
struct GrpcCells {
  std::atomic<std::int64_t> streams{0};           // ModelStreamInfer calls that are open
  std::atomic<std::int64_t> stream_requests{0};   // in flight on them
  std::atomic<std::uint64_t> stream_pauses{0};    // times that a stream was not read for a while
  std::atomic<std::uint64_t> stream_given_up{0};  // requests whose responses nobody took

  // headrace_grpc_stream_* families.
  void Collect(telemetry::PrometheusWriter& writer) const;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_CELLS_H_

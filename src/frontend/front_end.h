// The front end: one router over all endpoint families, one metrics page.
#ifndef HEADRACE_FRONTEND_FRONT_END_H_
#define HEADRACE_FRONTEND_FRONT_END_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/registry.h"
#include "frontend/shared_memory_regions.h"
#include "net/grpc.h"
#include "net/http.h"
#include "repository/model_manager.h"
#include "telemetry/prometheus.h"
#include "tensor/block_pool.h"
#include "tracing/tracer.h"

namespace headrace::frontend {

struct Services;

struct FrontEndOptions {
  std::string server_id = "triton";    // `name` of the server metadata
  std::string server_version = "2.0";  // `version` of it
  std::size_t http_input_byte_size_max = std::size_t{64} << 20;
  bool strict_readiness = true;
  std::string header_forward_pattern;       // HTTP; empty = no header is forwarded (D20)
  std::string grpc_header_forward_pattern;  // the same of gRPC metadata
  std::string client_header;  // lower case; says who sent a request; empty: its address does
  bool grpc_reflection = false;
  std::size_t grpc_stream_request_count_max = 1024;  // in flight on one stream; more are not read
  // Of one stream: responses that the client has not taken. Beyond it a decoupled model's request
  // ends with an error.
  std::uint64_t grpc_stream_unsent_byte_size_max = std::uint64_t{64} << 20;
  // The same of one generate_stream request.
  std::uint64_t http_stream_unsent_byte_size_max = std::uint64_t{64} << 20;
  net::GrpcCompressionLevel grpc_response_compression = net::GrpcCompressionLevel::kNone;
  SharedMemoryOptions shared_memory;
};

// Thread-safe. `draining` set: readiness answers false at once, inference goes on until the
// listeners stop.
class FrontEnd {
 public:
  // All borrowed. Patterns for headers that are no expressions forward nothing: whoever takes them
  // from the user checks them (HeaderForwarder::Create).
  FrontEnd(FrontEndOptions options, engine::Registry& registry, repository::ModelManager& models,
           tracing::Tracer& tracer, BlockPool& pool, const Clock& clock);
  ~FrontEnd();

  // What handlers share (frontend/call.h), for handlers of other protocols over the same models.
  Services& services();
  // Serves the v2 protocol.
  net::HttpHandler& v2_handler();
  // Serves it over gRPC, with health checks and reflection.
  net::GrpcHandler& grpc_handler();
  // Serves GET /metrics from these sources and the front end's own.
  net::HttpHandler& metrics_handler();
  void AddMetricSource(const telemetry::MetricSource& source);

  // The page that metrics_handler() serves.
  std::string MetricsPage() const;
  // Lets the loops go of models that were unloaded, now instead of with their next request.
  void RefreshModels();

  void SetDraining();
  bool draining() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_FRONT_END_H_

// What the HTTP front end counts about its streamed answers, for the metrics page.
#ifndef HEADRACE_FRONTEND_HTTP_STREAM_CELLS_H_
#define HEADRACE_FRONTEND_HTTP_STREAM_CELLS_H_

#include <atomic>
#include <cstdint>

#include "telemetry/prometheus.h"

namespace headrace::frontend {

// Thread-safe: written by all loops.
struct HttpStreamCells {
  std::atomic<std::int64_t> streams{0};    // generate_stream requests that have not ended
  std::atomic<std::uint64_t> events{0};    // sent on them
  std::atomic<std::uint64_t> given_up{0};  // requests whose events nobody took

  // headrace_http_stream* families.
  void Collect(telemetry::PrometheusWriter& writer) const;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_HTTP_STREAM_CELLS_H_

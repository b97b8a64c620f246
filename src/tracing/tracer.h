// Decides which requests are traced, and writes their traces.
#ifndef HEADRACE_TRACING_TRACER_H_
#define HEADRACE_TRACING_TRACER_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/request_trace.h"
#include "telemetry/prometheus.h"
#include "tracing/trace_settings.h"

namespace headrace::tracing {

// Thread-safe. Owns a thread that writes, so that no request waits for a disk or a collector; what
// it cannot keep up with is dropped and counted.
//
// Which settings count for a model: each of its own, else the server's as they are now (contracts,
// Triton 1.11). Models without settings of their own share one count and one rate.
class Tracer final : public telemetry::MetricSource {
 public:
  // INVALID_ARGUMENT if the trace file cannot be written. Without a file, mode triton traces
  // nothing.
  static Result<std::unique_ptr<Tracer>> Create(TraceSettings settings, TraceTarget target);
  // Writes what is there. Traces of requests that end later are lost.
  ~Tracer() override;

  // A trace for a request to `model`, or null: for most requests, at the cost of one look at an
  // atomic. A valid W3C `traceparent` continues its trace, and is always traced, in mode
  // opentelemetry.
  std::shared_ptr<engine::RequestTrace> Begin(std::string_view model,
                                              std::string_view traceparent) {
    return active() ? Choose(model, traceparent) : nullptr;
  }
  // False if no request can be traced: then callers need not look for its traceparent.
  bool active() const { return active_.load(std::memory_order_relaxed); }

  // The settings of the server (empty `model`) or those that count for a model.
  TraceSettings Get(std::string_view model) const;
  // Sets what `changes` holds; what is in `cleared` goes back to the settings below: those of the
  // server, or of the start.
  struct Cleared {
    bool levels = false, rate = false, count = false, log_frequency = false;
  };
  void Update(std::string_view model, const TraceOverrides& changes, const Cleared& cleared);

  const TraceTarget& target() const { return target_; }
  void Collect(telemetry::PrometheusWriter& writer) const override;

 private:
  class Writer;
  // Settings of one model. A count of its own counts down.
  struct ModelSettings {
    TraceOverrides overrides;
    std::uint64_t seen = 0;  // requests that were looked at, for the rate
  };

  Tracer(TraceSettings settings, TraceTarget target, std::shared_ptr<Writer> writer);
  std::shared_ptr<engine::RequestTrace> Choose(std::string_view model,
                                               std::string_view traceparent);
  static bool MayTrace(const TraceSettings& settings);
  void UpdateActiveLocked();

  const TraceSettings startup_;
  const TraceTarget target_;
  const std::shared_ptr<Writer> writer_;
  std::atomic<bool> active_{false};
  mutable std::mutex mutex_;  // guards what follows
  TraceSettings server_;
  std::uint64_t server_seen_ = 0;
  std::map<std::string, ModelSettings, std::less<>> models_;
};

}  // namespace headrace::tracing

#endif  // HEADRACE_TRACING_TRACER_H_

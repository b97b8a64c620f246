// What one model version has done since it was loaded.
#ifndef HEADRACE_ENGINE_STATISTICS_H_
#define HEADRACE_ENGINE_STATISTICS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/clock.h"
#include "engine/execution_observer.h"
#include "engine/request.h"
#include "telemetry/histogram.h"

namespace headrace::engine {

struct CountAndDuration {
  std::uint64_t count = 0;
  std::uint64_t ns = 0;
};

struct BatchStatistics {
  CountAndDuration compute_input, compute_infer, compute_output;
};

// What became of the responses of one index within their requests (contracts, Triton 6.2).
struct ResponseStatistics {
  CountAndDuration compute_infer, compute_output, success, fail, empty_response, cancel;
};

// The stamps of one response of a decoupled model; output_start is 0 for one without outputs.
struct ResponseTimes {
  Nanos start = 0, output_start = 0, end = 0;
};
enum class ResponseOutcome : std::uint8_t { kSuccess, kFailure, kCancelled };

// A readable copy. Meaning of the fields: contracts, Triton 6.2.
struct StatisticsSnapshot {
  std::uint64_t last_inference_ms = 0;  // since the epoch
  std::uint64_t inference_count = 0;    // sum of batch sizes
  std::uint64_t execution_count = 0;
  CountAndDuration success, fail, queue, compute_input, compute_infer, compute_output, cache_hit,
      cache_miss;
  std::array<std::uint64_t, 4> failures_by_reason{};      // indexed by FailureReason
  std::uint64_t received = 0;                             // submitted to the model
  std::map<std::uint64_t, BatchStatistics> batches;       // by batch size
  std::map<std::uint64_t, ResponseStatistics> responses;  // by index within the request
  std::uint64_t batch_retries = 0;                        // executions of parts of failed batches
};

// Thread-safe. Recording is a handful of relaxed atomic additions; batch sizes up to
// kBatchSizeTracked have cells of their own, larger ones take a mutex.
class ModelStatistics {
 public:
  void RecordReceived();
  // A request ended well: `total` from received to now. Three atomic additions: the histogram's sum
  // is that of the statistics, too.
  void RecordSuccess(Nanos total);
  void RecordFailure(FailureReason reason, Nanos total);
  // Reported by the backend for each request of an execution. `queue` is queued -> exec_start.
  void RecordRequestExecution(bool success, Nanos queue, const ExecutionTimes& times,
                              std::uint64_t batch_size);
  // Reported by the backend once for an execution.
  void RecordBatchExecution(std::uint64_t batch_size, const ExecutionTimes& times);
  // A request that the response cache answered, and one that it did not: `duration` is that of the
  // look-up, and of a miss also that of the insertion (contracts, Triton 4.7).
  void RecordCacheHit(Nanos duration);
  void RecordCacheMiss(Nanos duration);
  // Reported by the runner: what went out as one batch, and the time its oldest request had waited
  // for it.
  void RecordBatchFormed(std::uint64_t batch_size, Nanos oldest_wait);
  // Reported by a decoupled model's backend for its response number `index` of a request. Takes a
  // mutex. Indices from kResponseIndexCountMax on are left out.
  void RecordResponse(std::uint64_t index, const ResponseTimes& times, ResponseOutcome outcome);
  // Reported by the runner: a part of a batch that failed is executed again.
  void RecordBatchRetry() { batch_retries_.fetch_add(1, std::memory_order_relaxed); }
  // Reported by the front end: from Finish to the last byte handed to the kernel.
  void RecordSend(Nanos duration) { send_.Record(static_cast<std::uint64_t>(duration)); }
  // Set once by whoever loaded the version: from the begin of its load until it could serve.
  void SetLoadDuration(Nanos duration) {
    load_duration_.store(duration, std::memory_order_relaxed);
  }
  Nanos load_duration() const { return load_duration_.load(std::memory_order_relaxed); }

  StatisticsSnapshot Read() const;

  static constexpr std::uint64_t kResponseIndexCountMax = 4096;

  // Headrace's own histograms, in nanoseconds (the whole of requests that ended well, and stages)
  // or counts (batch_size).
  const telemetry::Histogram& duration_histogram() const { return duration_; }
  const telemetry::Histogram& queue_histogram() const { return queue_; }
  const telemetry::Histogram& batch_wait_histogram() const { return batch_wait_; }
  const telemetry::Histogram& execute_histogram() const { return execute_; }
  const telemetry::Histogram& send_histogram() const { return send_; }
  const telemetry::Histogram& batch_size_histogram() const { return batch_size_; }

 private:
  static constexpr std::size_t kBatchSizeTracked = 64;
  struct AtomicDuration {
    std::atomic<std::uint64_t> count{0}, ns{0};
    void Add(std::uint64_t n, Nanos duration);
    CountAndDuration Read() const;
  };
  struct BatchCell {
    std::atomic<std::uint64_t> count{0}, input_ns{0}, infer_ns{0}, output_ns{0};
  };

  std::atomic<std::uint64_t> received_{0}, last_inference_ms_{0}, inference_count_{0},
      execution_count_{0}, success_count_{0};
  AtomicDuration fail_, queue_total_, compute_input_, compute_infer_, compute_output_, cache_hit_,
      cache_miss_;
  std::array<std::atomic<std::uint64_t>, 4> failures_{};
  std::atomic<Nanos> load_duration_{0};
  std::array<BatchCell, kBatchSizeTracked + 1> batches_{};
  mutable std::mutex large_mutex_;  // guards large_batches_
  std::map<std::uint64_t, BatchStatistics> large_batches_;
  mutable std::mutex responses_mutex_;  // guards responses_
  std::map<std::uint64_t, ResponseStatistics> responses_;
  std::atomic<std::uint64_t> batch_retries_{0};
  telemetry::Histogram duration_, queue_, batch_wait_, execute_, send_, batch_size_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_STATISTICS_H_

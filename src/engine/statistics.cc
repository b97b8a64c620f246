#include "engine/statistics.h"

#include <ctime>

namespace headrace::engine {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Stamps come from backends: an inverted pair counts as nothing instead of as 580 years.
std::uint64_t Elapsed(Nanos from, Nanos to) {
  return to > from ? static_cast<std::uint64_t>(to - from) : 0;
}

std::uint64_t EpochMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

// Concurrent executions may report out of order; the newest stays.
void RaiseTo(std::atomic<std::uint64_t>& cell, std::uint64_t value) {
  std::uint64_t seen = cell.load(kRelaxed);
  while (seen < value && !cell.compare_exchange_weak(seen, value, kRelaxed)) {
  }
}

}  // namespace

void ModelStatistics::AtomicDuration::Add(std::uint64_t n, Nanos duration) {
  count.fetch_add(n, kRelaxed);
  ns.fetch_add(duration > 0 ? static_cast<std::uint64_t>(duration) : 0, kRelaxed);
}

CountAndDuration ModelStatistics::AtomicDuration::Read() const {
  return {count.load(kRelaxed), ns.load(kRelaxed)};
}

void ModelStatistics::RecordReceived() { received_.fetch_add(1, kRelaxed); }

void ModelStatistics::RecordSuccess(Nanos total) {
  success_count_.fetch_add(1, kRelaxed);
  duration_.Record(Elapsed(0, total));
}

void ModelStatistics::RecordFailure(FailureReason reason, Nanos total) {
  failures_[static_cast<std::size_t>(reason)].fetch_add(1, kRelaxed);
  fail_.Add(1, total);
}

void ModelStatistics::RecordRequestExecution(bool success, Nanos queue, const ExecutionTimes& times,
                                             std::uint64_t batch_size) {
  RaiseTo(last_inference_ms_, EpochMilliseconds());
  if (!success) {
    return;
  }
  inference_count_.fetch_add(batch_size, kRelaxed);
  queue_total_.Add(1, queue);
  queue_.Record(Elapsed(0, queue));
  compute_input_.Add(1, times.compute_start - times.exec_start);
  compute_infer_.Add(1, times.compute_end - times.compute_start);
  compute_output_.Add(1, times.exec_end - times.compute_end);
}

void ModelStatistics::RecordBatchExecution(std::uint64_t batch_size, const ExecutionTimes& times) {
  execution_count_.fetch_add(1, kRelaxed);
  execute_.Record(Elapsed(times.exec_start, times.exec_end));
  const std::uint64_t input = Elapsed(times.exec_start, times.compute_start);
  const std::uint64_t infer = Elapsed(times.compute_start, times.compute_end);
  const std::uint64_t output = Elapsed(times.compute_end, times.exec_end);
  if (batch_size <= kBatchSizeTracked) {
    BatchCell& cell = batches_[batch_size];
    cell.count.fetch_add(1, kRelaxed);
    cell.input_ns.fetch_add(input, kRelaxed);
    cell.infer_ns.fetch_add(infer, kRelaxed);
    cell.output_ns.fetch_add(output, kRelaxed);
    return;
  }
  std::lock_guard lock(large_mutex_);
  BatchStatistics& batch = large_batches_[batch_size];
  const auto add = [](CountAndDuration& sum, std::uint64_t ns) {
    sum.count += 1;
    sum.ns += ns;
  };
  add(batch.compute_input, input);
  add(batch.compute_infer, infer);
  add(batch.compute_output, output);
}

void ModelStatistics::RecordCacheHit(Nanos duration) {
  RaiseTo(last_inference_ms_, EpochMilliseconds());
  queue_total_.Add(1, 0);  // a success like any other, that did not wait
  cache_hit_.Add(1, duration);
}

void ModelStatistics::RecordCacheMiss(Nanos duration) { cache_miss_.Add(1, duration); }

void ModelStatistics::RecordResponse(std::uint64_t index, const ResponseTimes& times,
                                     ResponseOutcome outcome) {
  if (index >= kResponseIndexCountMax) {
    return;
  }
  const bool has_outputs = times.output_start > 0;
  const auto add = [](CountAndDuration& sum, Nanos from, Nanos to) {
    sum.count += 1;
    sum.ns += Elapsed(from, to);
  };
  std::lock_guard lock(responses_mutex_);
  ResponseStatistics& response = responses_[index];
  if (outcome == ResponseOutcome::kCancelled) {
    add(response.cancel, times.start, times.end);
    return;
  }
  // As a stock Triton has it, one without outputs took its time to compute, too.
  add(response.compute_infer, times.start, has_outputs ? times.output_start : times.end);
  if (has_outputs) {
    add(response.compute_output, times.output_start, times.end);
  }
  add(outcome == ResponseOutcome::kFailure ? response.fail
      : has_outputs                        ? response.success
                                           : response.empty_response,
      times.start, times.end);
}

void ModelStatistics::RecordBatchFormed(std::uint64_t batch_size, Nanos oldest_wait) {
  batch_size_.Record(batch_size);
  batch_wait_.Record(Elapsed(0, oldest_wait));
}

StatisticsSnapshot ModelStatistics::Read() const {
  StatisticsSnapshot snapshot;
  // Ends before starts: a reader beside running requests never sees more ended than received.
  snapshot.success = {success_count_.load(kRelaxed), duration_.sum()};
  snapshot.fail = fail_.Read();
  for (std::size_t i = 0; i < failures_.size(); ++i) {
    snapshot.failures_by_reason[i] = failures_[i].load(kRelaxed);
  }
  snapshot.received = received_.load(kRelaxed);
  snapshot.last_inference_ms = last_inference_ms_.load(kRelaxed);
  snapshot.inference_count = inference_count_.load(kRelaxed);
  snapshot.execution_count = execution_count_.load(kRelaxed);
  snapshot.queue = queue_total_.Read();
  snapshot.compute_input = compute_input_.Read();
  snapshot.compute_infer = compute_infer_.Read();
  snapshot.compute_output = compute_output_.Read();
  snapshot.cache_hit = cache_hit_.Read();
  snapshot.cache_miss = cache_miss_.Read();
  snapshot.batch_retries = batch_retries_.load(kRelaxed);
  {
    std::lock_guard lock(large_mutex_);
    snapshot.batches = large_batches_;
  }
  {
    std::lock_guard lock(responses_mutex_);
    snapshot.responses = responses_;
  }
  for (std::size_t size = 0; size < batches_.size(); ++size) {
    const BatchCell& cell = batches_[size];
    const std::uint64_t count = cell.count.load(kRelaxed);
    if (count != 0) {
      snapshot.batches[size] = {{count, cell.input_ns.load(kRelaxed)},
                                {count, cell.infer_ns.load(kRelaxed)},
                                {count, cell.output_ns.load(kRelaxed)}};
    }
  }
  return snapshot;
}

}  // namespace headrace::engine

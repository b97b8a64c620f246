#include "profiling/batch_recorder.h"

#include <chrono>
#include <utility>

namespace headrace::profiling {

void BatchRecorder::OnBatch(const engine::ObservedBatch& batch) {
  RecordedBatch recorded{.instance = std::string(batch.instance),
                         .thread_id = batch.thread_id,
                         .formed = batch.formed,
                         .started = batch.started,
                         .ended = batch.ended,
                         .requests = {batch.requests.begin(), batch.requests.end()}};
  for (const engine::ObservedBatch::Request& request : batch.requests) {
    recorded.batch_size += request.batch_size;
  }
  {
    const std::lock_guard lock(mutex_);
    taken_.request_count += batch.requests.size();
    if (taken_.request_count <= kRequestCountMax) {
      taken_.batches.push_back(std::move(recorded));
    } else {
      taken_.truncated = true;
    }
  }
  changed_.notify_all();
}

bool BatchRecorder::WaitFor(std::uint64_t request_count, Nanos until) {
  std::unique_lock lock(mutex_);
  const auto reached = [&] { return request_count > 0 && taken_.request_count >= request_count; };
  const std::chrono::steady_clock::time_point deadline{std::chrono::nanoseconds(until)};
  changed_.wait_until(lock, deadline, [&] { return stopped_ || reached(); });
  return reached();
}

void BatchRecorder::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

bool BatchRecorder::stopped() {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

BatchRecorder::Taken BatchRecorder::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(taken_, {});
}

}  // namespace headrace::profiling

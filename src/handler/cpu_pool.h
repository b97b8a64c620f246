// The threads on which native handlers read requests and write answers, and what they may use.
#ifndef HEADRACE_HANDLER_CPU_POOL_H_
#define HEADRACE_HANDLER_CPU_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/task_threads.h"
#include "image/decode.h"
#include "telemetry/prometheus.h"
#include "tensor/block_pool.h"

namespace headrace::handler {

struct CpuPoolOptions {
  std::size_t thread_count = 2;
  std::size_t waiting_max = 4096;  // requests that wait for a thread; more are refused
  std::uint64_t image_pixel_count_max = image::kPixelCountMax;    // of one image
  std::size_t image_memory_byte_size_max = std::size_t{1} << 30;  // of decoders, all together
};

// One for the server. Thread-safe.
class CpuPool final : public telemetry::MetricSource {
 public:
  explicit CpuPool(const CpuPoolOptions& options)
      : options_(options),
        image_memory_(options.image_memory_byte_size_max),
        threads_("cpu", options.thread_count, options.waiting_max) {}

  const CpuPoolOptions& options() const { return options_; }
  TaskThreads& threads() { return threads_; }
  MemoryBudget& image_memory() { return image_memory_; }
  void CountPrepared() { prepared_.fetch_add(1, std::memory_order_relaxed); }
  void CountUnreadable() { unreadable_.fetch_add(1, std::memory_order_relaxed); }

  void Collect(telemetry::PrometheusWriter& writer) const override;

 private:
  const CpuPoolOptions options_;
  MemoryBudget image_memory_;
  std::atomic<std::uint64_t> prepared_{0};
  std::atomic<std::uint64_t> unreadable_{0};
  TaskThreads threads_;  // its tasks use the rest: gone first
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_CPU_POOL_H_

// Numbers the workers of all models, and chooses their devices (contracts, TorchServe 9.4).
#ifndef HEADRACE_STORE_WORKER_PLACER_H_
#define HEADRACE_STORE_WORKER_PLACER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/backend.h"
#include "store/catalog.h"

namespace headrace::store {

// Thread-safe.
class WorkerPlacer {
 public:
  explicit WorkerPlacer(std::int64_t first_id) : next_id_(first_id) {}

  // The next worker of `version`, which has `count` already.
  engine::InstancePlacement Next(const VersionRecord& version, std::size_t count);

 private:
  std::atomic<std::int64_t> next_id_;
  std::atomic<std::size_t> gpu_turn_{0};  // of all models that name no GPUs
};

// "W-9000-mnist_1.0", as logs and metrics name a worker, and the number in it. Pure.
std::string NameOfWorker(std::int64_t id, const VersionRecord& version);
std::string_view IdOfWorker(std::string_view name);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_WORKER_PLACER_H_

#include "store/worker_placer.h"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::store {

engine::InstancePlacement WorkerPlacer::Next(const VersionRecord& version, std::size_t count) {
  engine::InstancePlacement placement;
  placement.name = NameOfWorker(next_id_.fetch_add(1), version);
  if (const auto& gpus = version.settings.gpus; !gpus.empty()) {
    const std::size_t turn = version.settings.own_gpu_turn ? count : gpu_turn_.fetch_add(1);
    placement.kind = engine::InstanceKind::kGpu;
    placement.device_id = gpus[turn % gpus.size()];
    placement.host_policy = fmt::format("gpu_{}", placement.device_id);
  }
  return placement;
}

std::string NameOfWorker(std::int64_t id, const VersionRecord& version) {
  return fmt::format("W-{}-{}_{}", id, version.name, version.version);
}

std::string_view IdOfWorker(std::string_view name) {
  name.remove_prefix(std::min<std::size_t>(2, name.size()));
  return name.substr(0, name.find('-'));
}

}  // namespace headrace::store

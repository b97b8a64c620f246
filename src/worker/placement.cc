#include "worker/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace headrace::worker {
namespace {

// What tells thread pools their size. PyTorch takes OMP_NUM_THREADS (MKL's where it has that).
constexpr std::string_view kThreadVariables[] = {"OMP_NUM_THREADS", "MKL_NUM_THREADS",
                                                 "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
                                                 "TORCH_NUM_THREADS"};
constexpr std::string_view kVisibleGpus = "CUDA_VISIBLE_DEVICES";

// The n-th entry of a list as CUDA reads it ("0,1", "GPU-uuid,..."); the number where there is no
// list.
std::string VisibleGpu(const std::map<std::string, std::string>& inherited, int device_id) {
  const auto found = inherited.find(std::string(kVisibleGpus));
  if (found == inherited.end()) {
    return fmt::format("{}", device_id);
  }
  std::string_view list = found->second;
  for (int i = 0; i < device_id && !list.empty(); ++i) {
    const std::size_t comma = list.find(',');
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
  }
  return std::string(list.substr(0, list.find(',')));
}

}  // namespace

int PhysicalCores(std::span<const int> cpus, const Topology& topology) {
  return std::min(topology.PhysicalCoreCount(cpus), topology.core_count());
}

int NextGpu(std::uint64_t n, int gpu_count) {
  return gpu_count > 0 ? static_cast<int>(n % static_cast<std::uint64_t>(gpu_count)) : -1;
}

Placement PlaceWorker(const PlacementRequest& request, const Topology& topology,
                      const std::map<std::string, std::string>& inherited) {
  Placement placement;
  placement.cpus = request.cpus;
  // All of the server's processors are no instance's own.
  const bool own = !request.cpus.empty() && request.cpus.size() < topology.cpus().size();
  const int sharers = own ? 1 : std::max(1, request.worker_count);
  placement.thread_count = request.thread_count > 0
                               ? request.thread_count
                               : std::max(1, PhysicalCores(request.cpus, topology) / sharers);
  for (const std::string_view name : kThreadVariables) {
    if (inherited.count(std::string(name)) == 0 || request.thread_count > 0) {
      placement.environment[std::string(name)] = fmt::format("{}", placement.thread_count);
    }
  }
  if (request.only_gpu >= 0) {
    placement.environment[std::string(kVisibleGpus)] = VisibleGpu(inherited, request.only_gpu);
  }
  return placement;
}

}  // namespace headrace::worker

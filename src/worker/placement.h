// Where a worker computes: processors, threads, GPU, and how its libraries are told. Pure.
//
// The engine has already bound the thread that creates an instance to the cores of the instance
// (engine/instance_placer.h), and a process inherits that; here is what that means for a program
// with thread pools of its own.
#ifndef HEADRACE_WORKER_PLACEMENT_H_
#define HEADRACE_WORKER_PLACEMENT_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/thread.h"
#include "base/topology.h"

namespace headrace::worker {

struct PlacementRequest {
  CpuList cpus{};        // of the instance; empty: all that the server may use
  int worker_count = 1;  // of the model, which share those processors if they are all
  int thread_count = 0;  // that the configuration asks for; 0: a share of the cores
  // The one GPU that the worker sees, as the server numbers them; it is the worker's number 0 then.
  // -1: all that the server sees, by the same numbers, as models of Triton and TorchServe expect.
  int only_gpu = -1;
};

struct Placement {
  CpuList cpus;          // empty: anywhere
  int thread_count = 1;  // that each of its libraries should use
  // OMP_NUM_THREADS and its kin, CUDA_VISIBLE_DEVICES.
  std::map<std::string, std::string> environment;
};

// `inherited`: the environment that the worker gets besides. A variable that is set there by the
// operator (OMP_NUM_THREADS) keeps its value, unless the configuration asks for a count.
// `only_gpu` counts in the inherited CUDA_VISIBLE_DEVICES.
Placement PlaceWorker(const PlacementRequest& request, const Topology& topology,
                      const std::map<std::string, std::string>& inherited);

// Physical cores among `cpus` (all of the topology's if empty), at least one, at most what the
// control group gives time for.
int PhysicalCores(std::span<const int> cpus, const Topology& topology);

// The GPU of the n-th worker that asks for any: round robin over `gpu_count`; -1 if there is none.
int NextGpu(std::uint64_t n, int gpu_count);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PLACEMENT_H_

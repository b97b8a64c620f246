// Where a worker computes: processors, threads, GPU, and how its libraries are told. Pure.
//
// The engine has already bound the thread that creates an instance to the cores of the instance
// (engine/instance_placer.h), and a process inherits that; here is what that means for a program
// with thread pools of its own.
#ifndef HEADRACE_WORKER_PLACEMENT_H_
#define HEADRACE_WORKER_PLACEMENT_H_

#include <map>
#include <span>
#include <string>

#include "base/thread.h"
#include "base/topology.h"

namespace headrace::worker {

struct PlacementRequest {
  CpuList cpus;          // of the instance; empty: all that the server may use
  int worker_count = 1;  // of the model, which share those processors if they are all
  int thread_count = 0;  // that the configuration asks for; 0: a share of the cores
  bool on_gpu = false;   // KIND_GPU
  int device_id = 0;     // its GPU, as the server numbers them (KIND_GPU)
  int gpu_count = 0;     // that the server sees
};

struct Placement {
  CpuList cpus;          // empty: anywhere
  int thread_count = 1;  // that each of its libraries should use
  // OMP_NUM_THREADS and its kin, CUDA_VISIBLE_DEVICES.
  std::map<std::string, std::string> environment;
};

// `inherited`: the environment that the worker gets besides. A variable that is set there by the
// operator (OMP_NUM_THREADS) keeps its value. CUDA_VISIBLE_DEVICES of a KIND_GPU instance becomes
// the one device that `device_id` is in the inherited list; of other instances it stays, so that
// they see what the server sees.
Placement PlaceWorker(const PlacementRequest& request, const Topology& topology,
                      const std::map<std::string, std::string>& inherited);

// Physical cores among `cpus` (all of the topology's if empty), at least one, at most what the
// control group gives time for.
int PhysicalCores(std::span<const int> cpus, const Topology& topology);

// The GPU of the n-th worker that asks for any: round robin over `gpu_count`; -1 if there is none.
int NextGpu(std::uint64_t n, int gpu_count);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PLACEMENT_H_

// System shared memory in which the tensors of a run lie, so that requests only name them.
#ifndef HEADRACE_LOAD_SHARED_MEMORY_H_
#define HEADRACE_LOAD_SHARED_MEMORY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/target.h"
#include "load/workload.h"

namespace headrace::load {

// Where one tensor lies, as the parameters shared_memory_region, _offset and _byte_size say it.
struct RegionSlice {
  std::string region;
  std::size_t offset = 0;
  std::size_t byte_size = 0;
};

// The regions that a server opens and closes on request. Blocking.
class RegionRegistrar {
 public:
  virtual ~RegionRegistrar() = default;
  virtual Status Register(const std::string& region, const std::string& key,
                          std::size_t byte_size) = 0;
  virtual Status Unregister(const std::string& region) = 0;
};

// Two regions, registered with the server: one with every input of the workload (equal bytes once),
// which is filled before the run, and one with room for every output that items name. Requests of
// one item share the room of its outputs: what is written there is not read. Destruction
// unregisters. The regions have no name in the file system once the server has opened them, so that
// nothing is left of them however this process ends. Immutable; thread-safe.
class SharedMemory {
 public:
  // `registrar` is kept. RESOURCE_EXHAUSTED: no room in /dev/shm. INVALID_ARGUMENT: golden outputs,
  // which cannot be read from shared room. Other failures are the server's, with the way out.
  static Result<std::unique_ptr<SharedMemory>> Create(const Workload& workload,
                                                      std::size_t output_byte_size,
                                                      std::unique_ptr<RegionRegistrar> registrar);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Of `workload.items[item].contents[content].inputs[input]`.
  const RegionSlice& Input(std::size_t item, std::size_t content, std::size_t input) const {
    return inputs_[item][content][input];
  }
  // Of `workload.items[item].outputs[output]`.
  const RegionSlice& Output(std::size_t item, std::size_t output) const {
    return outputs_[item][output];
  }

 private:
  class Region;

  SharedMemory();

  std::unique_ptr<RegionRegistrar> registrar_;
  std::vector<std::unique_ptr<Region>> regions_;
  std::vector<std::vector<std::vector<RegionSlice>>> inputs_;
  std::vector<std::vector<RegionSlice>> outputs_;
};

// By HTTP or gRPC, as the target's protocol is.
std::unique_ptr<RegionRegistrar> MakeRegionRegistrar(const TargetSpec& target);

// What a transport's factory needs: null where the target wants none. INVALID_ARGUMENT where its
// protocol knows none.
Result<std::unique_ptr<SharedMemory>> MakeSharedMemory(const TargetSpec& target,
                                                       const Workload& workload);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_SHARED_MEMORY_H_

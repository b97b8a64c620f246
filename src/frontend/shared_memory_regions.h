// Shared memory that clients have registered (contracts, Triton 1.11; reliability D15).
//
// Nothing of a client's object is ever mapped: bytes are copied by pread and pwrite over its
// descriptor. A client that truncates or rewrites its object while it is in use harms only its own
// answers; there is no page that could be gone, and no length is read twice.
#ifndef HEADRACE_FRONTEND_SHARED_MEMORY_REGIONS_H_
#define HEADRACE_FRONTEND_SHARED_MEMORY_REGIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "tensor/block_pool.h"
#include "tensor/tensor.h"

namespace headrace::frontend {

struct SharedMemoryOptions {
  bool allowed = false;    // --allow-client-shm
  std::string key_prefix;  // of the keys that may be registered; empty = any
  std::size_t region_count_max = 1024;
};

struct SharedMemoryRegion {
  std::string name;
  std::string key;
  std::uint64_t offset = 0;
  std::uint64_t byte_size = 0;
};

// Thread-safe. All functions but the listings make system calls on memory files, which do not wait.
// A region that is in use when it is unregistered lives until the last use ends.
//
// Error texts name regions, never keys (reliability row 153). Codes: UNIMPLEMENTED "Client shared
// memory is disabled. ..." unless allowed; NOT_FOUND "Unable to find shared memory region: 'R'";
// INVALID_ARGUMENT for what lies outside of a region or what the object is too small for.
class SharedMemoryRegions {
 public:
  explicit SharedMemoryRegions(SharedMemoryOptions options) : options_(std::move(options)) {}

  // `key` is the POSIX name of an object that exists and holds `offset + byte_size` bytes.
  // ALREADY_EXISTS when the name is taken; RESOURCE_EXHAUSTED beyond region_count_max.
  Status Register(const SharedMemoryRegion& region);
  // Unregistering an unknown region succeeds.
  Status Unregister(const std::string& name);
  Status UnregisterAll();

  // By name; always allowed.
  std::vector<SharedMemoryRegion> List() const;
  Result<SharedMemoryRegion> Find(const std::string& name) const;

  // Whether [offset, offset + byte_size) lies inside the region: what Read and Write ask first.
  Status Check(const std::string& name, std::uint64_t offset, std::uint64_t byte_size) const;
  // A copy of bytes [offset, offset + byte_size) of a region, in memory from `pool`.
  Result<Buffer> Read(const std::string& name, std::uint64_t offset, std::uint64_t byte_size,
                      BlockPool& pool) const;
  // Writes a tensor to a part of a region. INVALID_ARGUMENT "shared memory size specified with the
  // request for output 'O' (N bytes) should be at least M bytes to hold the results" when the part
  // is too small.
  Status Write(const std::string& name, std::uint64_t offset, std::uint64_t byte_size,
               std::string_view output, const Tensor& tensor) const;

  // Why a CUDA region is not registered: no GPU memory is shared by this server.
  Status RefuseCuda(std::string_view name) const;
  // UNIMPLEMENTED, with the option that changes it, unless client shared memory is allowed.
  Status CheckAllowed() const;

 private:
  struct Open {
    SharedMemoryRegion region;
    UniqueFd fd;
  };

  // The region, if [offset, offset + byte_size) is inside it.
  Result<std::shared_ptr<const Open>> Use(const std::string& name, std::uint64_t offset,
                                          std::uint64_t byte_size) const;

  const SharedMemoryOptions options_;
  mutable std::mutex mutex_;  // guards regions_
  std::map<std::string, std::shared_ptr<const Open>> regions_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_SHARED_MEMORY_REGIONS_H_

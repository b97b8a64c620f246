// How the maker of an in-process request gives memory for its outputs.
#ifndef HEADRACE_PLUGIN_RESPONSE_ALLOCATOR_H_
#define HEADRACE_PLUGIN_RESPONSE_ALLOCATOR_H_

#include <cstddef>

#include "base/result.h"
#include "tensor/buffer.h"
#include "triton_abi.h"

// Owned by whoever made it, who keeps it until the last response that used it is gone.
struct TRITONSERVER_ResponseAllocator {
  TRITONSERVER_ResponseAllocatorAllocFn_t alloc = nullptr;
  TRITONSERVER_ResponseAllocatorReleaseFn_t release = nullptr;
  TRITONSERVER_ResponseAllocatorStartFn_t start = nullptr;                         // may be null
  TRITONSERVER_ResponseAllocatorQueryFn_t query = nullptr;                         // may be null
  TRITONSERVER_ResponseAllocatorBufferAttributesFn_t buffer_attributes = nullptr;  // may be null
};

namespace headrace::plugin {

// Memory from the allocator's function, given back to it with the last Buffer that shows it. Asks
// for host memory; what lies elsewhere is given back and refused with UNIMPLEMENTED. No memory (a
// null pointer) is a valid answer for 0 bytes.
Result<MutableBuffer> AllocateByCaller(TRITONSERVER_ResponseAllocator* allocator, void* userp,
                                       const char* tensor_name, std::size_t byte_size);

// What the function said about memory of AllocateByCaller.
struct CallerMemory {
  void* buffer_userp = nullptr;
  TRITONSERVER_MemoryType memory_type = TRITONSERVER_MEMORY_CPU;
  std::int64_t memory_type_id = 0;
};
// Null for any other memory.
const CallerMemory* FindCallerMemory(const Buffer& buffer);

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_RESPONSE_ALLOCATOR_H_

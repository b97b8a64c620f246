// Entries of family "response_allocator".
#include "plugin/response_allocator.h"

#include "plugin/values.h"

using headrace::plugin::Answer;

extern "C" {

TRITONSERVER_Error* TRITONSERVER_ResponseAllocatorNew(
    TRITONSERVER_ResponseAllocator** allocator, TRITONSERVER_ResponseAllocatorAllocFn_t alloc_fn,
    TRITONSERVER_ResponseAllocatorReleaseFn_t release_fn,
    TRITONSERVER_ResponseAllocatorStartFn_t start_fn) {
  return Answer([&]() -> TRITONSERVER_Error* {
    *allocator =
        new TRITONSERVER_ResponseAllocator{alloc_fn, release_fn, start_fn, nullptr, nullptr};
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_ResponseAllocatorSetBufferAttributesFunction(
    TRITONSERVER_ResponseAllocator* allocator,
    TRITONSERVER_ResponseAllocatorBufferAttributesFn_t buffer_attributes_fn) {
  allocator->buffer_attributes = buffer_attributes_fn;
  return nullptr;
}

// Kept and never called: outputs are written to host memory, whatever else the function would
// offer, so that RequestOutputBufferProperties knows the answer.
TRITONSERVER_Error* TRITONSERVER_ResponseAllocatorSetQueryFunction(
    TRITONSERVER_ResponseAllocator* allocator, TRITONSERVER_ResponseAllocatorQueryFn_t query_fn) {
  allocator->query = query_fn;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_ResponseAllocatorDelete(
    TRITONSERVER_ResponseAllocator* allocator) {
  delete allocator;
  return nullptr;
}

}  // extern "C"

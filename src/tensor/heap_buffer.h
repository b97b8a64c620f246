// Memory from the heap, outside the budget of a BlockPool: for what the server makes for itself.
#ifndef HEADRACE_TENSOR_HEAP_BUFFER_H_
#define HEADRACE_TENSOR_HEAP_BUFFER_H_

#include <cstddef>

#include "base/result.h"
#include "tensor/buffer.h"

namespace headrace {

// 64-byte aligned. RESOURCE_EXHAUSTED when the heap does not give so much.
Result<MutableBuffer> NewHeapBuffer(std::size_t byte_size);

}  // namespace headrace

#endif  // HEADRACE_TENSOR_HEAP_BUFFER_H_

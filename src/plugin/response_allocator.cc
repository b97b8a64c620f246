#include "plugin/response_allocator.h"

#include "base/log.h"
#include "plugin/values.h"

namespace headrace::plugin {
namespace {

// A block of the caller's memory.
struct CallerBlock : Block {
  TRITONSERVER_ResponseAllocator* allocator = nullptr;
  CallerMemory memory;
};

void Release(Block* block) {
  auto* const mine = static_cast<CallerBlock*>(block);
  if (mine->allocator->release != nullptr) {
    const Status status = TakeTriton(mine->allocator->release(
        mine->allocator, mine->data, mine->memory.buffer_userp, mine->capacity,
        mine->memory.memory_type, mine->memory.memory_type_id));
    if (!status.ok()) {
      HEADRACE_LOG_ERROR("a response allocator did not take its memory back: {}",
                         status.ToString());
    }
  }
  delete mine;
}

}  // namespace

Result<MutableBuffer> AllocateByCaller(TRITONSERVER_ResponseAllocator* allocator, void* userp,
                                       const char* tensor_name, std::size_t byte_size) {
  void* memory = nullptr;
  CallerMemory got;
  HEADRACE_RETURN_IF_ERROR(TakeTriton(
      allocator->alloc(allocator, tensor_name, byte_size, TRITONSERVER_MEMORY_CPU, 0, userp,
                       &memory, &got.buffer_userp, &got.memory_type, &got.memory_type_id)));
  if (memory == nullptr && byte_size > 0) {
    return Unavailable("the response allocator gave no memory for output '{}'", tensor_name);
  }
  auto* const block = new CallerBlock();
  block->data = static_cast<std::byte*>(memory);
  block->capacity = byte_size;
  block->release = &Release;
  block->allocator = allocator;
  block->memory = got;
  MutableBuffer buffer(BlockRef(block), block->data, byte_size);
  if (got.memory_type == TRITONSERVER_MEMORY_GPU) {
    return Unimplemented(
        "the response allocator gave GPU memory for output '{}'; this server writes outputs to "
        "host memory",
        tensor_name);
  }
  if (allocator->buffer_attributes != nullptr) {
    TRITONSERVER_BufferAttributes attributes{.memory_type = got.memory_type,
                                             .memory_type_id = got.memory_type_id,
                                             .byte_size = byte_size};
    HEADRACE_RETURN_IF_ERROR(TakeTriton(allocator->buffer_attributes(
        allocator, tensor_name, &attributes, userp, got.buffer_userp)));
  }
  return buffer;
}

const CallerMemory* FindCallerMemory(const Buffer& buffer) {
  const Block* const block = buffer.owner().get();
  return block != nullptr && block->release == &Release
             ? &static_cast<const CallerBlock*>(block)->memory
             : nullptr;
}

}  // namespace headrace::plugin

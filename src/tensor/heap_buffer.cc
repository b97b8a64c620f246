#include "tensor/heap_buffer.h"

#include <new>

#include "base/checked_math.h"

namespace headrace {
namespace {

constexpr std::align_val_t kAlignment{64};
// The block itself lies in front of the bytes.
constexpr std::size_t kHeadSize = 64;
static_assert(sizeof(Block) <= kHeadSize);

}  // namespace

Result<MutableBuffer> NewHeapBuffer(std::size_t byte_size) {
  const auto total = CheckedAdd(byte_size, kHeadSize);
  void* memory = total ? ::operator new(*total, kAlignment, std::nothrow) : nullptr;
  if (memory == nullptr) {
    return ResourceExhausted("no memory for a buffer of {} bytes", byte_size);
  }
  auto* block = new (memory) Block;
  block->data = static_cast<std::byte*>(memory) + kHeadSize;
  block->capacity = byte_size;
  block->release = [](Block* dead) {
    dead->~Block();
    ::operator delete(dead, kAlignment);
  };
  return MutableBuffer(BlockRef(block), block->data, byte_size);
}

}  // namespace headrace

#include "net/http2_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "base/small_memory.h"

namespace headrace::net {
namespace {

// In front of each piece, because the library does not say how large what it gives back is.
struct alignas(std::max_align_t) Head {
  std::size_t byte_size;  // of what follows
};

Head* HeadOf(void* memory) { return static_cast<Head*>(memory) - 1; }

void* Allocate(std::size_t byte_size, void*) {
  void* memory =
      byte_size > SIZE_MAX - sizeof(Head) ? nullptr : AllocateSmall(sizeof(Head) + byte_size);
  return memory == nullptr ? nullptr : new (memory) Head{byte_size} + 1;
}

void Free(void* memory, void*) {
  if (memory != nullptr) {
    Head* head = HeadOf(memory);
    FreeSmall(head, sizeof(Head) + head->byte_size);
  }
}

void* AllocateZeroed(std::size_t count, std::size_t each, void* user) {
  if (each != 0 && count > SIZE_MAX / each) {
    return nullptr;
  }
  void* memory = Allocate(count * each, user);
  return memory == nullptr ? nullptr : std::memset(memory, 0, count * each);
}

void* Reallocate(void* memory, std::size_t byte_size, void* user) {
  if (memory == nullptr) {
    return Allocate(byte_size, user);
  }
  void* moved = Allocate(byte_size, user);
  if (moved != nullptr) {
    std::memcpy(moved, memory, std::min(byte_size, HeadOf(memory)->byte_size));
    Free(memory, user);
  }
  return moved;
}

}  // namespace

nghttp2_mem* Http2Memory() {
  static nghttp2_mem memory = {nullptr, Allocate, Free, AllocateZeroed, Reallocate};
  return &memory;
}

}  // namespace headrace::net

#include "tensor/buffer.h"

#include <cstring>
#include <memory>
#include <new>

#include "base/small_memory.h"

namespace headrace {
namespace {

// A block with something behind it that dies together with it.
template <typename Kept>
struct KeepingBlock : Block, SmallObject {
  explicit KeepingBlock(Kept what) : kept(std::move(what)) {
    release = [](Block* block) { delete static_cast<KeepingBlock*>(block); };
  }
  Kept kept;
};

}  // namespace

Buffer Buffer::FromString(std::string text) {
  auto* block = new KeepingBlock<std::string>(std::move(text));
  // Only now: a short string's bytes moved into the block with it.
  block->data = reinterpret_cast<std::byte*>(block->kept.data());
  block->capacity = block->kept.size();
  return Buffer(BlockRef(block), block->data, block->capacity);
}

Buffer Buffer::CopyOf(std::string_view bytes) {
  // The count and the bytes in one allocation.
  void* memory = SmallAllocator<char>().allocate(sizeof(Block) + bytes.size());
  auto* block = new (memory) Block;
  block->data = static_cast<std::byte*>(memory) + sizeof(Block);
  block->capacity = bytes.size();
  block->release = [](Block* dead) {
    const std::size_t byte_size = sizeof(Block) + dead->capacity;
    dead->~Block();
    FreeSmall(dead, byte_size);
  };
  if (!bytes.empty()) {
    std::memcpy(block->data, bytes.data(), bytes.size());
  }
  return Buffer(BlockRef(block), block->data, bytes.size());
}

Buffer Buffer::Shared(std::shared_ptr<const void> owner, const void* data, std::size_t byte_size) {
  auto* block = new KeepingBlock<std::shared_ptr<const void>>(std::move(owner));
  const auto* first = static_cast<const std::byte*>(data);
  // A Block can carry writable memory; this one is only ever read, through the Buffer.
  block->data = const_cast<std::byte*>(first);
  block->capacity = byte_size;
  return Buffer(BlockRef(block), first, byte_size);
}

}  // namespace headrace

// Bytes with a shared owner.
//
// A `Block` is one counted piece of memory. `Buffer` is an immutable slice of a block: copying or
// slicing one shares the memory. `MutableBuffer` is the only writer: it has the block to itself
// until `Freeze` turns it into a Buffer. Thread-safety: the count is atomic, so Buffers of one
// block may live in different threads; each object by itself is a plain value.
#ifndef HEADRACE_TENSOR_BUFFER_H_
#define HEADRACE_TENSOR_BUFFER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace headrace {

// Memory with a reference count and the way to give it back. Made by BlockPool, or by the functions
// of Buffer.
struct Block {
  std::atomic<std::uint32_t> references{1};
  bool page_locked = false;  // GPUs copy from and to it without staging
  std::byte* data = nullptr;
  std::size_t capacity = 0;                 // bytes at `data`
  void (*release)(Block* block) = nullptr;  // called once, by whoever drops the last reference
};

// Counted pointer to a Block.
class BlockRef {
 public:
  BlockRef() = default;
  // Takes over one reference.
  explicit BlockRef(Block* block) : block_(block) {}
  BlockRef(const BlockRef& other) : block_(other.block_) {
    if (block_ != nullptr) {
      block_->references.fetch_add(1, std::memory_order_relaxed);
    }
  }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() {
    if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      block_->release(block_);
    }
  }
  Block* get() const { return block_; }
  explicit operator bool() const { return block_ != nullptr; }

 private:
  Block* block_ = nullptr;
};

// An immutable slice. `owner` may be null for memory that outlives every reader (string literals).
class Buffer {
 public:
  Buffer() = default;
  Buffer(BlockRef owner, const std::byte* data, std::size_t byte_size)
      : owner_(std::move(owner)), data_(data), byte_size_(byte_size) {}

  // Takes the string's bytes.
  static Buffer FromString(std::string text);
  // Copies.
  static Buffer CopyOf(std::string_view bytes);
  // Memory kept alive by `owner`.
  static Buffer Shared(std::shared_ptr<const void> owner, const void* data, std::size_t byte_size);
  // Static memory.
  static Buffer Unowned(std::string_view bytes) {
    return Buffer(BlockRef(), reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  }

  const std::byte* data() const { return data_; }
  std::size_t size() const { return byte_size_; }
  bool empty() const { return byte_size_ == 0; }
  std::span<const std::byte> bytes() const { return {data_, byte_size_}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), byte_size_}; }
  const BlockRef& owner() const { return owner_; }
  bool page_locked() const { return owner_ && owner_.get()->page_locked; }

  // Shares the memory. Requires offset + byte_size <= size().
  Buffer Slice(std::size_t offset, std::size_t byte_size) const {
    HEADRACE_CHECK(offset <= byte_size_ && byte_size <= byte_size_ - offset);
    return Buffer(owner_, data_ + offset, byte_size);
  }

 private:
  BlockRef owner_;
  const std::byte* data_ = nullptr;
  std::size_t byte_size_ = 0;
};

// Memory that is being filled by its one holder. Move-only.
class MutableBuffer {
 public:
  MutableBuffer() = default;
  MutableBuffer(BlockRef owner, std::byte* data, std::size_t byte_size)
      : owner_(std::move(owner)), data_(data), byte_size_(byte_size) {}
  MutableBuffer(MutableBuffer&&) noexcept = default;
  MutableBuffer& operator=(MutableBuffer&&) noexcept = default;
  MutableBuffer(const MutableBuffer&) = delete;
  MutableBuffer& operator=(const MutableBuffer&) = delete;

  std::byte* data() const { return data_; }
  std::size_t size() const { return byte_size_; }
  std::span<std::byte> bytes() const { return {data_, byte_size_}; }
  explicit operator bool() const { return data_ != nullptr; }
  bool page_locked() const { return owner_ && owner_.get()->page_locked; }
  // The end of writing: the first `byte_size` bytes as an immutable Buffer. Leaves this empty.
  Buffer Freeze(std::size_t byte_size) && {
    HEADRACE_CHECK(byte_size <= byte_size_);
    return Buffer(std::move(owner_), std::exchange(data_, nullptr), byte_size);
  }
  Buffer Freeze() && { return std::move(*this).Freeze(byte_size_); }

 private:
  BlockRef owner_;
  std::byte* data_ = nullptr;
  std::size_t byte_size_ = 0;
};

}  // namespace headrace

#endif  // HEADRACE_TENSOR_BUFFER_H_

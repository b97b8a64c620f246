// The block that one request body is received into.
//
// Memory follows the bytes that really arrive (D14): a block is at most 64 KiB, or 64 times what
// has come so far, and never larger than the declared length. A body of up to 64 KiB, and any body
// whose first read brings more than a 64th of it, is placed once; a larger one is moved at 64 KiB,
// 4 MiB, ... so that less than 1/63 of it is copied. Not thread-safe.
#ifndef HEADRACE_NET_BODY_BLOCK_H_
#define HEADRACE_NET_BODY_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "net/http_parser.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"

namespace headrace::net {

class BodyBlock final : public HttpParser::BodySink {
 public:
  // Begins a body of exactly `byte_size` bytes. Its byte number `aligned_offset` will be 64-byte
  // aligned.
  void StartSized(BlockPool& pool, std::uint64_t byte_size, std::uint64_t aligned_offset);
  // Begins a body whose length its chunks tell; the caller keeps it within a limit.
  void StartChunked(BlockPool& pool, std::uint64_t aligned_offset);

  // Copies bytes behind those that are there. False: the pool's budget is spent.
  bool Append(std::string_view bytes) override;
  // Free memory at the end of what is there, for the socket to write into; then Received says how
  // much it wrote. Empty when the block is full (or not there yet): bring the next bytes by Append.
  std::span<char> ReceiveSpace();
  void Received(std::size_t byte_size) { received_ += byte_size; }

  std::uint64_t received() const { return received_; }
  // What is there, until the next call that changes it.
  std::string_view view() const {
    return {reinterpret_cast<const char*>(block_.data()) + (block_ ? lead_ : 0), received_};
  }
  std::uint64_t left() const { return expected_ - received_; }  // of a sized body
  // The body as it is now; leaves this empty.
  Buffer Finish();
  void Reset();

 private:
  bool Grow(std::uint64_t byte_size_min);

  BlockPool* pool_ = nullptr;
  MutableBuffer block_;
  std::size_t lead_ = 0;  // bytes in front of the body that bring the alignment
  std::uint64_t expected_ = 0;
  std::uint64_t received_ = 0;
  bool chunked_ = false;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_BODY_BLOCK_H_

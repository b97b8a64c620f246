// What one connection has to write: small bytes in one string, large buffers as they are.
#ifndef HEADRACE_NET_GATHER_OUTPUT_H_
#define HEADRACE_NET_GATHER_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/byte_stream.h"
#include "tensor/buffer.h"

namespace headrace::net {

// Not thread-safe.
class GatherOutput {
 public:
  enum class Outcome : std::uint8_t { kDone, kBlocked, kFailed };
  struct Progress {
    Outcome outcome;
    std::uint64_t byte_size;  // written by this call
  };

  // Takes memory for the small bytes, which GiveBack returns. Only while empty.
  void Borrow(std::string& memory);
  void GiveBack(std::string& memory);

  void AppendBytes(std::string_view bytes);
  // Keeps the buffer, or copies it if that is cheaper.
  void AppendBuffer(const Buffer& buffer);
  std::size_t byte_size() const { return byte_size_; }
  bool empty() const { return byte_size_ == 0; }
  // One system call for up to 64 pieces; goes on until all is out or the socket takes no more.
  Progress Write(ByteStream& stream);
  void Clear();

 private:
  // Of `bytes_` when the buffer is empty.
  struct Piece {
    Buffer buffer;
    std::size_t offset;
    std::size_t byte_size;
  };
  void Forget(std::size_t written);

  std::string bytes_;
  std::vector<Piece> pieces_;
  std::size_t first_ = 0;  // piece that is not wholly written
  std::size_t byte_size_ = 0;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_GATHER_OUTPUT_H_

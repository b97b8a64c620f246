#include "net/grpc_compression.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace headrace::net {
namespace {

constexpr std::uint64_t kRatioFreeByteSize = std::uint64_t{1} << 20;
constexpr std::uint64_t kRatioMax = 100;
constexpr std::uint64_t kFirstByteSize = 16 * 1024;
// Output between two looks at the ratio.
constexpr std::uint64_t kStepByteSize = 256 * 1024;

int WindowBits(GrpcEncoding encoding) { return encoding == GrpcEncoding::kGzip ? 15 + 16 : 15; }

Bytef* Bytes(const std::byte* bytes) {
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes));
}

// Output memory that grows by copying, never beyond its limit.
class Output {
 public:
  Output(std::uint64_t byte_size_max, BlockPool& pool)
      : byte_size_max_(byte_size_max), pool_(pool) {}

  // Room for one more step; at least a byte unless the limit is reached.
  Status Grow() {
    const std::uint64_t wanted =
        std::min(byte_size_max_, std::max(kFirstByteSize, std::uint64_t{2} * used_));
    if (wanted <= memory_.size()) {
      return OkStatus();
    }
    HEADRACE_ASSIGN_OR_RETURN(MutableBuffer larger, pool_.Allocate(wanted));
    if (used_ > 0) {
      std::memcpy(larger.data(), memory_.data(), used_);
    }
    memory_ = std::move(larger);
    return OkStatus();
  }
  std::uint64_t used() const { return used_; }
  std::uint64_t room() const { return memory_.size() - used_; }
  bool at_limit() const { return used_ == byte_size_max_; }
  Bytef* end() { return Bytes(memory_.data() + used_); }
  void Wrote(std::uint64_t byte_size) { used_ += byte_size; }
  Buffer Finish() && { return used_ == 0 ? Buffer() : std::move(memory_).Freeze(used_); }

 private:
  const std::uint64_t byte_size_max_;
  BlockPool& pool_;
  MutableBuffer memory_;
  std::uint64_t used_ = 0;
};

struct Inflate {
  explicit Inflate(GrpcEncoding encoding) {
    HEADRACE_CHECK(inflateInit2(&stream, WindowBits(encoding)) == Z_OK);
  }
  ~Inflate() { inflateEnd(&stream); }
  z_stream stream{};
};

struct Deflate {
  Deflate(GrpcEncoding encoding, int level) {
    constexpr int kMemoryLevel = 8;
    HEADRACE_CHECK(deflateInit2(&stream, level, Z_DEFLATED, WindowBits(encoding), kMemoryLevel,
                                Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Deflate() { deflateEnd(&stream); }
  z_stream stream{};
};

int ZlibLevel(GrpcCompressionLevel level) {
  switch (level) {
    case GrpcCompressionLevel::kNone:
    case GrpcCompressionLevel::kLow:
      return 1;
    case GrpcCompressionLevel::kMedium:
      return 6;
    case GrpcCompressionLevel::kHigh:
      return 9;
  }
  return 1;
}

}  // namespace

Result<Buffer> DecompressMessage(GrpcEncoding encoding, const Buffer& message,
                                 std::uint64_t byte_size_max, BlockPool& pool) {
  Inflate inflate(encoding);
  z_stream& stream = inflate.stream;
  // One byte more than is allowed tells a message of just that size from a larger one.
  Output output(byte_size_max == UINT64_MAX ? byte_size_max : byte_size_max + 1, pool);
  HEADRACE_CHECK(message.size() <= UINT32_MAX);
  stream.next_in = Bytes(message.data());
  stream.avail_in = static_cast<uInt>(message.size());
  while (true) {
    HEADRACE_RETURN_IF_ERROR(output.Grow());
    const auto room = static_cast<uInt>(std::min(output.room(), kStepByteSize));
    stream.next_out = output.end();
    stream.avail_out = room;
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    output.Wrote(room - stream.avail_out);
    if (output.used() > byte_size_max) {
      return ResourceExhausted("Decompressed message is larger than max ({})", byte_size_max);
    }
    if (output.used() > kRatioFreeByteSize &&
        output.used() / kRatioMax > message.size() - stream.avail_in) {
      return ResourceExhausted("compressed message inflates to more than {} times its size",
                               kRatioMax);
    }
    if (result == Z_STREAM_END) {
      break;
    }
    if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return Internal("Failed to decompress message: it is {}",
                      result == Z_OK || result == Z_BUF_ERROR ? "cut short" : "damaged");
    }
  }
  if (stream.avail_in != 0) {
    return Internal("Failed to decompress message: bytes follow its end");
  }
  return std::move(output).Finish();
}

Result<Buffer> CompressMessage(GrpcEncoding encoding, GrpcCompressionLevel level,
                               const GrpcMessage& message, BlockPool& pool) {
  Deflate deflate(encoding, ZlibLevel(level));
  z_stream& stream = deflate.stream;
  std::uint64_t byte_size = 0;
  for (const Buffer& buffer : message) {
    byte_size += buffer.size();
  }
  const std::uint64_t bound = deflateBound(&stream, byte_size);
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, pool.Allocate(bound));
  stream.next_out = Bytes(memory.data());
  stream.avail_out = static_cast<uInt>(bound);
  for (const Buffer& buffer : message) {
    stream.next_in = Bytes(buffer.data());
    stream.avail_in = static_cast<uInt>(buffer.size());
    while (stream.avail_in != 0) {
      HEADRACE_CHECK(::deflate(&stream, Z_NO_FLUSH) == Z_OK);
    }
  }
  HEADRACE_CHECK(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  return std::move(memory).Freeze(bound - stream.avail_out);
}

}  // namespace headrace::net

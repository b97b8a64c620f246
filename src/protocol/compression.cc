#include "protocol/compression.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked_math.h"

namespace headrace::protocol {
namespace {

constexpr std::size_t kRatioFreeByteSize = std::size_t{1} << 20;
constexpr std::size_t kRatioMax = 100;
constexpr std::size_t kStepByteSizeMax = std::size_t{256}
                                         << 10;  // output between two looks at the ratio
constexpr std::size_t kFirstByteSize = std::size_t{16} << 10;
constexpr uInt kZlibPieceMax = 1u << 30;

int WindowBits(ContentCoding coding) { return coding == ContentCoding::kGzip ? 15 + 16 : 15; }

Bytef* ZlibBytes(const std::byte* bytes) {
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes));
}

class InflateStream {
 public:
  explicit InflateStream(ContentCoding coding) {
    ready_ = inflateInit2(&stream_, WindowBits(coding)) == Z_OK;
  }
  ~InflateStream() {
    if (ready_) {
      inflateEnd(&stream_);
    }
  }
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;
  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

class DeflateStream {
 public:
  explicit DeflateStream(ContentCoding coding) {
    constexpr int kMemoryLevel = 8;
    ready_ = deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, WindowBits(coding), kMemoryLevel,
                          Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~DeflateStream() {
    if (ready_) {
      deflateEnd(&stream_);
    }
  }
  DeflateStream(const DeflateStream&) = delete;
  DeflateStream& operator=(const DeflateStream&) = delete;
  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

// Output memory that grows by copying into twice the room. Capacities are the limit halved some
// number of times, so that the last doubling ends at the limit, and old and new memory together
// never hold more than it.
class GrowingOutput {
 public:
  // The result's first byte lies `lead` bytes into its block.
  GrowingOutput(std::size_t lead, std::size_t byte_size_max, BlockPool& pool)
      : lead_(lead), byte_size_max_(byte_size_max), pool_(pool) {}

  Status Reserve(std::size_t wanted) {
    std::size_t capacity = byte_size_max_;
    while (capacity / 2 >= wanted && capacity / 2 >= kFirstByteSize) {
      capacity /= 2;
    }
    HEADRACE_ASSIGN_OR_RETURN(MutableBuffer larger, pool_.Allocate(lead_ + capacity));
    if (used_ != 0) {
      std::memcpy(larger.data() + lead_, buffer_.data() + lead_, used_);
    }
    buffer_ = std::move(larger);
    capacity_ = capacity;
    return OkStatus();
  }
  std::size_t used() const { return used_; }
  std::size_t room() const { return capacity_ - used_; }
  bool at_limit() const { return capacity_ == byte_size_max_; }
  Status Grow() { return Reserve(capacity_ + 1); }
  std::byte* end() { return buffer_.data() + lead_ + used_; }
  void Wrote(std::size_t byte_size) { used_ += byte_size; }
  Buffer Finish() && { return std::move(buffer_).Freeze(lead_ + used_).Slice(lead_, used_); }

 private:
  const std::size_t lead_;
  const std::size_t byte_size_max_;
  BlockPool& pool_;
  MutableBuffer buffer_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

Status TooLarge(std::size_t byte_size_max) {
  return ResourceExhausted(
      "decompressed request exceeds the maximum allowed input size of {} bytes. Use "
      "--http-max-input-size to increase "
      "the limit.",
      byte_size_max);
}

Status Damaged(std::string_view what) {
  return InvalidArgument("compressed request body is {}", what);
}

// One call of zlib's inflate into `room` bytes at `out`; `finished` when the stream ended with it.
Status InflateStep(z_stream& stream, std::span<const std::byte> body, std::byte* out,
                   std::size_t room, std::size_t* written, bool* finished) {
  const std::size_t consumed = stream.total_in;
  stream.next_in = ZlibBytes(body.data() + consumed);
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(body.size() - consumed, kZlibPieceMax));
  stream.next_out = ZlibBytes(out);
  stream.avail_out = static_cast<uInt>(std::min(room, kStepByteSizeMax));
  const uInt offered = stream.avail_out;
  const int result = inflate(&stream, Z_NO_FLUSH);
  *written = offered - stream.avail_out;
  *finished = result == Z_STREAM_END;
  switch (result) {
    case Z_STREAM_END:
      return OkStatus();
    case Z_OK:
      return OkStatus();
    case Z_BUF_ERROR:
      // No progress was possible: with room for output, the input has run out.
      return Damaged("truncated");
    case Z_MEM_ERROR:
      return ResourceExhausted("no memory to decompress the request body");
    default:
      return Damaged("damaged");
  }
}

}  // namespace

Result<Buffer> Inflate(const Buffer& body, ContentCoding coding, std::size_t byte_size_max,
                       std::size_t aligned_offset, BlockPool& pool) {
  if (coding == ContentCoding::kIdentity) {
    return body;
  }
  InflateStream inflater(coding);
  if (!inflater.ready()) {
    return ResourceExhausted("no memory to decompress the request body");
  }
  z_stream& stream = inflater.stream();
  const std::size_t lead = -aligned_offset & (BlockPool::kAlignment - 1);
  GrowingOutput output(lead, byte_size_max, pool);
  HEADRACE_RETURN_IF_ERROR(output.Reserve(std::min(body.size(), byte_size_max)));
  bool finished = false;
  while (!finished) {
    if (output.room() == 0 && !output.at_limit()) {
      HEADRACE_RETURN_IF_ERROR(output.Grow());
    }
    // At the limit the stream may still have its end to come, but not one byte of data.
    std::byte beyond{};
    const bool full = output.room() == 0;
    std::size_t written = 0;
    HEADRACE_RETURN_IF_ERROR(InflateStep(stream, body.bytes(), full ? &beyond : output.end(),
                                         full ? 1 : output.room(), &written, &finished));
    if (full && written != 0) {
      return TooLarge(byte_size_max);
    }
    output.Wrote(written);
    if (output.used() > kRatioFreeByteSize && output.used() / kRatioMax > stream.total_in) {
      return ResourceExhausted("request body expands more than {} to 1", kRatioMax);
    }
  }
  if (stream.total_in != body.size()) {
    return Damaged("followed by other bytes");
  }
  return std::move(output).Finish();
}

Result<Buffer> Deflate(const std::vector<Buffer>& body, ContentCoding coding, BlockPool& pool) {
  std::size_t byte_size = 0;
  for (const Buffer& part : body) {
    const auto sum = CheckedAdd(byte_size, part.size());
    if (!sum) {
      return ResourceExhausted("response is too large to compress");
    }
    byte_size = *sum;
  }
  DeflateStream deflater(coding);
  if (!deflater.ready()) {
    return ResourceExhausted("no memory to compress the response");
  }
  z_stream& stream = deflater.stream();
  const std::size_t bound =
      coding == ContentCoding::kIdentity ? byte_size : deflateBound(&stream, byte_size);
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer buffer, pool.Allocate(bound));
  std::size_t used = 0;
  for (std::size_t i = 0; i <= body.size(); ++i) {
    const bool last = i == body.size();
    const std::span<const std::byte> part = last ? std::span<const std::byte>() : body[i].bytes();
    if (coding == ContentCoding::kIdentity) {
      std::copy(part.begin(), part.end(), buffer.data() + used);
      used += part.size();
      continue;
    }
    std::size_t taken = 0;
    int result = Z_OK;
    // The bound makes room for everything, so zlib stops early only at the size of a piece.
    while (result == Z_OK && (taken < part.size() || last)) {
      const auto piece =
          static_cast<uInt>(std::min<std::size_t>(part.size() - taken, kZlibPieceMax));
      const auto room = static_cast<uInt>(std::min<std::size_t>(bound - used, kZlibPieceMax));
      stream.next_in = ZlibBytes(part.data() + taken);
      stream.avail_in = piece;
      stream.next_out = ZlibBytes(buffer.data() + used);
      stream.avail_out = room;
      result = deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
      taken += piece - stream.avail_in;
      used += room - stream.avail_out;
    }
    if (result != (last ? Z_STREAM_END : Z_OK)) {
      return Internal("zlib failed to compress the response: {}", result);
    }
  }
  return std::move(buffer).Freeze(used);
}

}  // namespace headrace::protocol

#include <zlib.h>

#include <charconv>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "load/infer_message.h"
#include "protocol/proto_writer.h"

namespace headrace::load {
namespace {

using net::GrpcEncoding;

// Fields of inference.ModelInferRequest and of InferParameter.
constexpr std::uint32_t kId = 3, kParameters = 4;
constexpr std::uint32_t kBool = 1, kInt64 = 2;

constexpr std::size_t kPrefixByteSize = 5;
constexpr std::string_view kGzipHead("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
constexpr std::string_view kZlibHead("\x78\x5e", 2);

void StoreLittleEndian(std::uint32_t value, char* to) {
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<char>(value >> (8 * i));
  }
}

void StoreBigEndian(std::uint32_t value, char* to) {
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<char>(value >> (24 - 8 * i));
  }
}

// Writes to an array that is large enough by construction (see InferMessageCursor::head_).
class HeadWriter {
 public:
  explicit HeadWriter(char* begin) : begin_(begin), at_(begin) {}
  std::size_t byte_size() const { return static_cast<std::size_t>(at_ - begin_); }
  void Bytes(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      *at_++ = static_cast<char>(value | 0x80);
    }
    *at_++ = static_cast<char>(value);
  }
  // A map entry whose parameter is a number.
  void Parameter(std::string_view name, std::uint32_t type, std::uint64_t value) {
    const std::size_t value_byte_size = 1 + protocol::VarintByteSize(value);
    Varint(kParameters << 3 | 2);
    Varint(2 + name.size() + 2 + value_byte_size);
    Varint(1 << 3 | 2);
    Varint(name.size());
    Bytes(name);
    Varint(2 << 3 | 2);
    Varint(value_byte_size);
    Varint(type << 3);
    Varint(value);
  }
  void Id(std::uint64_t id) {
    char digits[20];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), id).ptr;
    Varint(kId << 3 | 2);
    Varint(static_cast<std::size_t>(end - digits));
    Bytes({digits, static_cast<std::size_t>(end - digits)});
  }

 private:
  char* const begin_;
  char* at_;
};

}  // namespace

void InferMessageCursor::Begin(const InferMessage& message, const InferMessageHead& head) {
  message_ = &message;
  part_ = offset_ = tail_byte_size_ = 0;
  const bool compressed = message.encoding_ != GrpcEncoding::kIdentity;
  const std::string_view stream_head = !compressed                                ? ""
                                       : message.encoding_ == GrpcEncoding::kGzip ? kGzipHead
                                                                                  : kZlibHead;
  // Five bytes of a stored block: its kind, its length, and the length inverted.
  const std::size_t lead = kPrefixByteSize + (compressed ? stream_head.size() + 5 : 0);
  HeadWriter writer(head_.data() + lead);
  writer.Id(head.id);
  if (head.sequence_id != 0) {
    writer.Parameter("sequence_id", kInt64, head.sequence_id);
    writer.Parameter("sequence_start", kBool, head.sequence_start ? 1 : 0);
    writer.Parameter("sequence_end", kBool, head.sequence_end ? 1 : 0);
  }
  const std::size_t fields = writer.byte_size();
  head_byte_size_ = lead + fields;
  if (compressed) {
    HeadWriter block(head_.data() + kPrefixByteSize);
    block.Bytes(stream_head);
    const auto length = static_cast<std::uint32_t>(fields);
    const char lengths[] = {0, static_cast<char>(length), static_cast<char>(length >> 8),
                            static_cast<char>(~length), static_cast<char>(~length >> 8)};
    block.Bytes({lengths, sizeof(lengths)});
    const auto* const plain = reinterpret_cast<const unsigned char*>(head_.data() + lead);
    const auto more = static_cast<z_off_t>(message.inflated_byte_size_);
    if (message.encoding_ == GrpcEncoding::kGzip) {
      StoreLittleEndian(static_cast<std::uint32_t>(
                            crc32_combine(crc32_z(0, plain, fields), message.checksum_, more)),
                        tail_.data());
      StoreLittleEndian(static_cast<std::uint32_t>(fields + message.inflated_byte_size_),
                        tail_.data() + 4);
      tail_byte_size_ = 8;
    } else {
      StoreBigEndian(static_cast<std::uint32_t>(
                         adler32_combine(adler32_z(1, plain, fields), message.checksum_, more)),
                     tail_.data());
      tail_byte_size_ = 4;
    }
  }
  whole_ = left_ = head_byte_size_ + message.pieces_byte_size_ + tail_byte_size_;
  head_[0] = compressed ? 1 : 0;
  StoreBigEndian(static_cast<std::uint32_t>(whole_ - kPrefixByteSize), head_.data() + 1);
}

std::string_view InferMessageCursor::Part(std::size_t index) const {
  if (index == 0) {
    return {head_.data(), head_byte_size_};
  }
  return index <= message_->pieces_.size() ? message_->pieces_[index - 1]
                                           : std::string_view(tail_.data(), tail_byte_size_);
}

void InferMessageCursor::AppendTo(net::GatherOutput& out, std::size_t byte_size) {
  HEADRACE_CHECK(byte_size <= left_);
  left_ -= byte_size;
  while (byte_size > 0) {
    const std::string_view part = Part(part_);
    const std::string_view now = part.substr(offset_, byte_size);
    if (part_ == 0 || part_ > message_->pieces_.size()) {
      out.AppendBytes(now);  // ours, and gone when the request is
    } else {
      out.AppendBuffer(Buffer::Unowned(now));
    }
    byte_size -= now.size();
    offset_ += now.size();
    if (offset_ == part.size()) {
      ++part_;
      offset_ = 0;
    }
  }
}

}  // namespace headrace::load

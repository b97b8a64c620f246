// Appends protobuf wire format to a string.
#ifndef HEADRACE_PROTOCOL_PROTO_WRITER_H_
#define HEADRACE_PROTOCOL_PROTO_WRITER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::protocol {

// Bytes of `value` as a varint.
constexpr std::size_t VarintByteSize(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

class ProtoWriter {
 public:
  explicit ProtoWriter(std::string& out) : out_(out) {}

  void BareVarint(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void Varint(std::uint32_t field, std::uint64_t value) {
    Tag(field, 0);
    BareVarint(value);
  }
  void Double(std::uint32_t field, double value) {
    Tag(field, 1);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    out_.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
  // Text, bytes, or a message that is written already.
  void Bytes(std::uint32_t field, std::string_view value) {
    BytesHead(field, value.size());
    out_.append(value);
  }
  // What stands in front of `byte_size` bytes that somebody else appends.
  void BytesHead(std::uint32_t field, std::uint64_t byte_size) {
    Tag(field, 2);
    BareVarint(byte_size);
  }
  // As proto3 has it: what is empty is left out.
  void Text(std::uint32_t field, std::string_view value) {
    if (!value.empty()) {
      Bytes(field, value);
    }
  }

 private:
  void Tag(std::uint32_t field, std::uint32_t type) { BareVarint(field << 3 | type); }

  std::string& out_;
};

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_PROTO_WRITER_H_

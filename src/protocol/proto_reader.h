// A cursor over a protobuf message that lies in several buffers, in place.
//
// Errors stick: after the first, every call returns false and `error()` says why, so loops need no
// checks of their own.
//
//   ProtoReader reader(message);
//   while (reader.Next()) {
//     if (reader.field() == 1) reader.ReadString(name, 256); else reader.Skip();
//   }
//   if (!reader.ok()) ...
//
// Not thread-safe. The buffers must outlive the reader.
#ifndef HEADRACE_PROTOCOL_PROTO_READER_H_
#define HEADRACE_PROTOCOL_PROTO_READER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace headrace::protocol {

enum class ProtoType : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroupBegin = 3,
  kGroupEnd = 4,
  kFixed32 = 5
};

class ProtoReader {
 public:
  // Groups inside of groups that Skip passes over.
  static constexpr int kGroupDepthMax = 100;

  ProtoReader() = default;
  explicit ProtoReader(std::span<const Buffer> message);

  // Goes to the next field. False at the end of the message, or after an error. What the field
  // holds must then be read, or skipped.
  bool Next();
  std::uint32_t field() const { return field_; }
  ProtoType type() const { return type_; }
  // All bytes of this message have been read.
  bool at_end() const { return left_ == 0; }
  std::size_t bytes_left() const { return left_; }

  // The value of the current field, which must be of that type: else an error. In an unpacked list
  // of scalars that is each element; a packed one is a Message of bare values, read by Bare...
  bool ReadVarint(std::uint64_t& value);
  bool ReadFixed32(std::uint32_t& value);
  bool ReadFixed64(std::uint64_t& value);
  // UTF-8 of at most `byte_size_max` bytes.
  bool ReadString(std::string& value, std::size_t byte_size_max);
  // Bytes of any content.
  bool ReadBytes(std::string& value, std::size_t byte_size_max);
  // The bytes where they are, as fragments of `tensor`: nothing is copied.
  bool ReadInPlace(Tensor& tensor);
  // The bytes as a message of their own; its errors stay in `message`.
  bool ReadMessage(ProtoReader& message);
  // Passes over the value, whatever its type.
  bool Skip();

  // Values without a tag, as a packed list holds them.
  bool BareVarint(std::uint64_t& value);
  bool BareFixed(void* value, std::size_t byte_size);
  // Copies the next `byte_size` bytes.
  bool BareBytes(void* to, std::size_t byte_size) { return BareFixed(to, byte_size); }

  bool ok() const { return error_ == nullptr; }
  // Static text; null while all is well.
  const char* error() const { return error_; }
  bool Fail(const char* reason);

 private:
  void NextSlice();
  bool Advance(std::size_t byte_size);
  bool ReadLength(std::size_t& byte_size);
  bool Expect(ProtoType type);
  bool SkipValue(ProtoType type);

  const Buffer* slice_ = nullptr;  // the one that at_ is in
  const unsigned char* at_ = nullptr;
  const unsigned char* slice_end_ = nullptr;
  std::size_t left_ = 0;  // bytes up to the end of this message, over all slices
  std::uint32_t field_ = 0;
  ProtoType type_ = ProtoType::kVarint;
  const char* error_ = nullptr;
};

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_PROTO_READER_H_

// Walks serialised protobuf messages in a file without their schema's code, and without reading
// what is skipped.
#ifndef HEADRACE_BACKENDS_COMMON_PROTOBUF_READER_H_
#define HEADRACE_BACKENDS_COMMON_PROTOBUF_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/error.h"

namespace headrace::backend {

// One field: its number, its type on the wire, and for what has a length, the bytes in the file.
struct ProtobufField {
  enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  std::uint32_t number = 0;
  Wire wire = Wire::kVarint;
  std::uint64_t value = 0;  // kVarint
  std::uint64_t begin = 0;  // kBytes: first byte in the file
  std::uint64_t end = 0;    // kBytes: behind the last
};

// Reads through a small window, so that the file may be of any size and may change meanwhile: it is
// not mapped. Not thread-safe.
class ProtobufReader {
 public:
  ProtobufReader() = default;
  ~ProtobufReader();
  ProtobufReader(const ProtobufReader&) = delete;
  ProtobufReader& operator=(const ProtobufReader&) = delete;

  // UNAVAILABLE if it cannot be opened; INVALID_ARG if it is no regular file.
  Error Open(const std::string& path);
  std::uint64_t byte_size() const { return byte_size_; }

  // The field at `*offset`, which must be before `end`; moves `*offset` behind it. INVALID_ARG for
  // what no message of `end - offset` bytes begins with.
  Error Next(std::uint64_t* offset, std::uint64_t end, ProtobufField* field);
  // The bytes of a kBytes field. INVALID_ARG if they are more than `byte_size_max`.
  Error Text(const ProtobufField& field, std::size_t byte_size_max, std::string* text);
  // `byte_size` bytes from `offset`; INVALID_ARG if the file has fewer.
  Error Read(std::uint64_t offset, std::size_t byte_size, char* destination);

 private:
  Error Varint(std::uint64_t* offset, std::uint64_t end, std::uint64_t* value);
  // One byte, from the window.
  Error Byte(std::uint64_t offset, unsigned char* byte);

  int descriptor_ = -1;
  std::uint64_t byte_size_ = 0;
  std::uint64_t window_begin_ = 0;
  std::vector<char> window_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_PROTOBUF_READER_H_

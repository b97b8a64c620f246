#include "common/protobuf_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace headrace::backend {
namespace {

constexpr std::size_t kWindowByteSize = 16 * 1024;
constexpr std::uint64_t kFieldNumberMax = (std::uint64_t{1} << 29) - 1;

std::string ErrnoText() { return std::generic_category().message(errno); }

// Fills the buffer as far as the file goes; -1 with errno on a failure.
ssize_t ReadFully(int descriptor, char* buffer, std::size_t byte_size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < byte_size) {
    const ssize_t got =
        pread(descriptor, buffer + done, byte_size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return -1;
    }
    if (got == 0) {
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

}  // namespace

ProtobufReader::~ProtobufReader() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

Error ProtobufReader::Open(const std::string& path) {
  // Not blocking: a FIFO in the place of a model must not hold the load.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (descriptor_ < 0 || fstat(descriptor_, &status) != 0) {
    return Unavailable("unable to open '{}': {}", path, ErrnoText());
  }
  if (!S_ISREG(status.st_mode)) {
    return InvalidArgument("'{}' is not a regular file", path);
  }
  byte_size_ = static_cast<std::uint64_t>(status.st_size);
  return {};
}

Error ProtobufReader::Read(std::uint64_t offset, std::size_t byte_size, char* destination) {
  const ssize_t got = ReadFully(descriptor_, destination, byte_size, offset);
  if (got < 0) {
    return Unavailable("unable to read the file: {}", ErrnoText());
  }
  if (static_cast<std::size_t>(got) < byte_size) {
    return InvalidArgument("the file ends early, at byte {}",
                           offset + static_cast<std::size_t>(got));
  }
  return {};
}

Error ProtobufReader::Byte(std::uint64_t offset, unsigned char* byte) {
  if (offset < window_begin_ || offset - window_begin_ >= window_.size()) {
    window_.resize(kWindowByteSize);
    const ssize_t got = ReadFully(descriptor_, window_.data(), window_.size(), offset);
    window_.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    window_begin_ = offset;
    if (got < 0) {
      return Unavailable("unable to read the file: {}", ErrnoText());
    }
    if (got == 0) {
      return InvalidArgument("the file ends early, at byte {}", offset);
    }
  }
  *byte = static_cast<unsigned char>(window_[offset - window_begin_]);
  return {};
}

Error ProtobufReader::Varint(std::uint64_t* offset, std::uint64_t end, std::uint64_t* value) {
  constexpr int kVarintByteSizeMax = 10;
  *value = 0;
  for (int i = 0; i < kVarintByteSizeMax && *offset < end; ++i) {
    unsigned char byte = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(Byte(*offset, &byte));
    ++*offset;
    *value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      return {};
    }
  }
  return InvalidArgument("a number does not end before byte {}", *offset);
}

Error ProtobufReader::Next(std::uint64_t* offset, std::uint64_t end, ProtobufField* field) {
  using Wire = ProtobufField::Wire;
  const std::uint64_t start = *offset;
  std::uint64_t tag = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(Varint(offset, end, &tag));
  const std::uint64_t number = tag >> 3;
  if (number == 0 || number > kFieldNumberMax) {
    return InvalidArgument("no field of a message begins at byte {}", start);
  }
  field->number = static_cast<std::uint32_t>(number);
  field->wire = static_cast<Wire>(tag & 7);
  std::uint64_t skipped = 0;
  switch (field->wire) {
    case Wire::kVarint:
      return Varint(offset, end, &field->value);
    case Wire::kFixed64:
      skipped = 8;
      break;
    case Wire::kFixed32:
      skipped = 4;
      break;
    case Wire::kBytes:
      HEADRACE_BACKEND_RETURN_IF_ERROR(Varint(offset, end, &skipped));
      break;
    default:
      return InvalidArgument("no field of a message begins at byte {}", start);
  }
  if (skipped > end - *offset) {
    return InvalidArgument("the field at byte {} has {} bytes; {} are left", start, skipped,
                           end - *offset);
  }
  field->begin = *offset;
  *offset += skipped;
  field->end = *offset;
  return {};
}

Error ProtobufReader::Text(const ProtobufField& field, std::size_t byte_size_max,
                           std::string* text) {
  const std::uint64_t byte_size = field.end - field.begin;
  if (field.wire != ProtobufField::Wire::kBytes || byte_size > byte_size_max) {
    return InvalidArgument("the field before byte {} is no text of up to {} bytes", field.end,
                           byte_size_max);
  }
  text->resize(byte_size);
  return Read(field.begin, text->size(), text->data());
}

}  // namespace headrace::backend

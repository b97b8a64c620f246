#include "protocol/proto_reader.h"

#include <algorithm>
#include <cstring>

#include "protocol/utf8.h"

namespace headrace::protocol {
namespace {

constexpr std::size_t kVarintByteSizeMax = 10;
constexpr const char* kCutShort = "the message ends inside of a field";

}  // namespace

ProtoReader::ProtoReader(std::span<const Buffer> message) {
  for (const Buffer& slice : message) {
    left_ += slice.size();
  }
  if (left_ == 0) {
    return;
  }
  slice_ = message.data();
  at_ = reinterpret_cast<const unsigned char*>(slice_->data());
  slice_end_ = at_ + slice_->size();
}

bool ProtoReader::Fail(const char* reason) {
  if (error_ == nullptr) {
    error_ = reason;
  }
  left_ = 0;
  return false;
}

// Requires: left_ > 0, so that there is a slice with a byte in it.
void ProtoReader::NextSlice() {
  while (at_ == slice_end_) {
    ++slice_;
    at_ = reinterpret_cast<const unsigned char*>(slice_->data());
    slice_end_ = at_ + slice_->size();
  }
}

bool ProtoReader::Advance(std::size_t byte_size) {
  if (byte_size > left_) {
    return Fail(kCutShort);
  }
  left_ -= byte_size;
  for (;;) {
    const std::size_t here = std::min(byte_size, static_cast<std::size_t>(slice_end_ - at_));
    at_ += here;
    byte_size -= here;
    if (byte_size == 0) {
      return true;
    }
    ++slice_;
    at_ = reinterpret_cast<const unsigned char*>(slice_->data());
    slice_end_ = at_ + slice_->size();
  }
}

bool ProtoReader::BareVarint(std::uint64_t& value) {
  if (!ok()) {
    return false;
  }
  value = 0;
  for (std::size_t i = 0; i < kVarintByteSizeMax; ++i) {
    if (left_ == 0) {
      return Fail(kCutShort);
    }
    if (at_ == slice_end_) [[unlikely]] {
      NextSlice();
    }
    const unsigned char byte = *at_++;
    --left_;
    value |= std::uint64_t{byte & 0x7fu} << (7 * i);
    if (byte < 0x80) {
      return true;
    }
  }
  return Fail("a number has more than ten bytes");
}

bool ProtoReader::BareFixed(void* value, std::size_t byte_size) {
  if (!ok()) {
    return false;
  }
  if (byte_size > left_) {
    return Fail(kCutShort);
  }
  left_ -= byte_size;
  auto* to = static_cast<unsigned char*>(value);
  while (byte_size > 0) {
    if (at_ == slice_end_) {
      NextSlice();
    }
    const std::size_t here = std::min(byte_size, static_cast<std::size_t>(slice_end_ - at_));
    std::memcpy(to, at_, here);
    at_ += here;
    to += here;
    byte_size -= here;
  }
  return true;
}

bool ProtoReader::Next() {
  if (left_ == 0) {
    return false;
  }
  std::uint64_t tag = 0;
  if (!BareVarint(tag)) {
    return false;
  }
  if (tag > UINT32_MAX || (tag >> 3) == 0) {
    return Fail("a field number is out of range");
  }
  if ((tag & 7) > 5) {
    return Fail("a field is of a wire type that does not exist");
  }
  field_ = static_cast<std::uint32_t>(tag >> 3);
  type_ = static_cast<ProtoType>(tag & 7);
  return type_ != ProtoType::kGroupEnd || Fail("a group ends that has not begun");
}

bool ProtoReader::Expect(ProtoType type) {
  return ok() && (type_ == type || Fail("the field is of another wire type"));
}

bool ProtoReader::ReadVarint(std::uint64_t& value) {
  return Expect(ProtoType::kVarint) && BareVarint(value);
}

bool ProtoReader::ReadFixed32(std::uint32_t& value) {
  return Expect(ProtoType::kFixed32) && BareFixed(&value, sizeof(value));
}

bool ProtoReader::ReadFixed64(std::uint64_t& value) {
  return Expect(ProtoType::kFixed64) && BareFixed(&value, sizeof(value));
}

bool ProtoReader::ReadLength(std::size_t& byte_size) {
  std::uint64_t value = 0;
  if (!Expect(ProtoType::kBytes) || !BareVarint(value)) {
    return false;
  }
  if (value > left_) {
    return Fail(kCutShort);
  }
  byte_size = static_cast<std::size_t>(value);
  return true;
}

bool ProtoReader::ReadBytes(std::string& value, std::size_t byte_size_max) {
  std::size_t byte_size = 0;
  if (!ReadLength(byte_size)) {
    return false;
  }
  if (byte_size > byte_size_max) {
    return Fail("the text is too long");
  }
  value.resize(byte_size);
  return BareFixed(value.data(), byte_size);
}

bool ProtoReader::ReadString(std::string& value, std::size_t byte_size_max) {
  return ReadBytes(value, byte_size_max) &&
         (FindInvalidUtf8(value) == value.size() || Fail("the text is not UTF-8"));
}

bool ProtoReader::ReadInPlace(Tensor& tensor) {
  std::size_t byte_size = 0;
  if (!ReadLength(byte_size)) {
    return false;
  }
  tensor.data = Buffer();
  tensor.more_fragments.clear();
  left_ -= byte_size;
  for (bool first = true; byte_size > 0; first = false) {
    if (at_ == slice_end_) {
      NextSlice();
    }
    const std::size_t here = std::min(byte_size, static_cast<std::size_t>(slice_end_ - at_));
    Buffer part(slice_->owner(), reinterpret_cast<const std::byte*>(at_), here);
    if (first) {
      tensor.data = std::move(part);
    } else {
      tensor.more_fragments.push_back(std::move(part));
    }
    at_ += here;
    byte_size -= here;
  }
  return true;
}

bool ProtoReader::ReadMessage(ProtoReader& message) {
  std::size_t byte_size = 0;
  if (!ReadLength(byte_size)) {
    return false;
  }
  message = *this;
  message.left_ = byte_size;
  return Advance(byte_size);
}

bool ProtoReader::SkipValue(ProtoType type) {
  std::uint64_t value = 0;
  switch (type) {
    case ProtoType::kVarint:
      return BareVarint(value);
    case ProtoType::kFixed64:
      return Advance(8);
    case ProtoType::kFixed32:
      return Advance(4);
    case ProtoType::kBytes:
      return BareVarint(value) && (value <= left_ ? Advance(value) : Fail(kCutShort));
    default:
      return Fail("a group ends that has not begun");
  }
}

bool ProtoReader::Skip() {
  if (!ok()) {
    return false;
  }
  if (type_ != ProtoType::kGroupBegin) {
    return SkipValue(type_);
  }
  std::uint32_t open[kGroupDepthMax];  // the field numbers of the groups we are in
  int depth = 0;
  open[depth++] = field_;
  while (depth > 0) {
    std::uint64_t tag = 0;
    if (!BareVarint(tag)) {
      return false;
    }
    if (tag > UINT32_MAX || (tag >> 3) == 0 || (tag & 7) > 5) {
      return Fail("a field number or wire type is out of range");
    }
    const auto field = static_cast<std::uint32_t>(tag >> 3);
    const auto type = static_cast<ProtoType>(tag & 7);
    if (type == ProtoType::kGroupBegin) {
      if (depth == kGroupDepthMax) {
        return Fail("groups are nested too deeply");
      }
      open[depth++] = field;
    } else if (type == ProtoType::kGroupEnd) {
      if (open[--depth] != field) {
        return Fail("a group ends that has not begun");
      }
    } else if (!SkipValue(type)) {
      return false;
    }
  }
  return true;
}

}  // namespace headrace::protocol

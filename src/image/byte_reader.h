// Reads little-endian numbers out of a file in memory, within its bounds.
#ifndef HEADRACE_IMAGE_BYTE_READER_H_
#define HEADRACE_IMAGE_BYTE_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace headrace::image {

// Behind the end it reads zeros, and ok() is false from then on. Not thread-safe.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> data) : data_(data) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t left() const { return data_.size() - position_; }

  std::uint8_t U8() {
    if (position_ >= data_.size()) {
      ok_ = false;
      return 0;
    }
    return std::to_integer<std::uint8_t>(data_[position_++]);
  }
  std::uint16_t U16() {
    const std::uint16_t low = U8();
    return static_cast<std::uint16_t>(low | U8() << 8);
  }
  std::uint32_t U32() {
    const std::uint32_t low = U16();
    return low | std::uint32_t{U16()} << 16;
  }
  // As many of `count` bytes as there are.
  std::span<const std::byte> Take(std::size_t count) {
    const std::size_t taken = std::min(count, left());
    const auto bytes = data_.subspan(position_, taken);
    position_ += taken;
    ok_ = ok_ && taken == count;
    return bytes;
  }
  // To an offset from the beginning.
  void Seek(std::size_t position) {
    ok_ = ok_ && position <= data_.size();
    position_ = std::min(position, data_.size());
  }

 private:
  std::span<const std::byte> data_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_BYTE_READER_H_

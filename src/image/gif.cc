// The first image of a GIF, on its screen, as Pillow has it.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "image/byte_reader.h"
#include "image/formats.h"
#include "image/indexed_rows.h"

namespace headrace::image {
namespace {

constexpr int kCodeBitsMax = 12;
constexpr std::size_t kCodeCount = std::size_t{1} << kCodeBitsMax;

Status CutShort() { return InvalidArgument("the GIF image is cut short"); }
Status Damaged() { return InvalidArgument("the GIF image is damaged"); }

// Where the image is on the screen, and how it is stored.
struct Frame {
  std::uint32_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  int code_bits = 0;                         // of its smallest codes, without the added one
  std::optional<std::uint8_t> transparency;  // an index
  std::optional<Palette> palette;            // its own
};

// A colour table. Nothing: it names each index's own grey, so that it says nothing.
std::optional<Palette> ReadPalette(ByteReader& reader, int bits) {
  Palette palette = Palette::Black();
  bool needed = false;
  for (std::size_t i = 0; i < std::size_t{1} << bits; ++i) {
    const std::uint8_t red = reader.U8(), green = reader.U8(), blue = reader.U8();
    needed = needed || red != i || green != i || blue != i;
    palette.Set(i, red, green, blue);
  }
  return needed ? std::optional(palette) : std::nullopt;
}

void SkipBlocks(ByteReader& reader) {
  while (const std::uint8_t size = reader.U8()) {
    reader.Take(size);
  }
}

// Up to the first image; what stands between is passed over.
Result<Frame> FindFrame(ByteReader& reader) {
  Frame frame;
  while (true) {
    const std::uint8_t kind = reader.U8();
    if (!reader.ok()) {
      return CutShort();
    }
    if (kind == ';') {
      return InvalidArgument("the GIF file has no image");
    }
    if (kind == '!') {
      const bool is_control = reader.U8() == 0xf9;
      const std::uint8_t size = reader.U8();
      const auto block = reader.Take(size);
      if (is_control && block.size() >= 4 && std::to_integer<int>(block[0]) % 2 == 1) {
        frame.transparency = std::to_integer<std::uint8_t>(block[3]);
      }
      if (size > 0) {
        SkipBlocks(reader);
      }
    } else if (kind == ',') {
      break;
    }
  }
  frame.left = reader.U16();
  frame.top = reader.U16();
  frame.width = reader.U16();
  frame.height = reader.U16();
  const std::uint8_t flags = reader.U8();
  frame.interlaced = (flags & 64) != 0;
  if ((flags & 128) != 0) {
    frame.palette = ReadPalette(reader, (flags & 7) + 1).value_or(Palette());
  }
  frame.code_bits = reader.U8();
  if (!reader.ok()) {
    return CutShort();
  }
  if (frame.width == 0 || frame.height == 0 || frame.code_bits >= kCodeBitsMax) {
    return Damaged();
  }
  return frame;
}

// Codes out of blocks of bytes.
class CodeReader {
 public:
  explicit CodeReader(ByteReader& reader) : reader_(reader) {}

  // Nothing: the file is over.
  std::optional<std::uint32_t> Next(int bits) {
    while (bit_count_ < bits) {
      if (block_.empty()) {
        const std::uint8_t size = reader_.U8();
        block_ = reader_.Take(size);
        if (!reader_.ok()) {
          return std::nullopt;
        }
        continue;
      }
      bits_ |= std::to_integer<std::uint32_t>(block_.front()) << bit_count_;
      block_ = block_.subspan(1);
      bit_count_ += 8;
    }
    const std::uint32_t code = bits_ & ((1U << bits) - 1);
    bits_ >>= bits;
    bit_count_ -= bits;
    return code;
  }

 private:
  ByteReader& reader_;
  std::span<const std::byte> block_;
  std::uint32_t bits_ = 0;
  int bit_count_ = 0;
};

// Where the pixels of an image go, one after the other.
class Canvas {
 public:
  Canvas(const Frame& frame, std::size_t stride, std::uint8_t* screen)
      : frame_(frame), stride_(stride), at_(screen + frame.top * stride + frame.left) {}

  bool full() const { return full_; }
  void Put(std::uint8_t index) {
    at_[y_ * stride_ + x_] = index;
    if (++x_ == frame_.width) {
      x_ = 0;
      NextRow();
    }
  }

 private:
  // Interlaced: every eighth row, those in their middles, and so on.
  void NextRow() {
    static constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 4> kPasses = {
        {{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
    y_ += frame_.interlaced ? kPasses[pass_].second : 1;
    while (y_ >= frame_.height) {
      if (!frame_.interlaced || ++pass_ == kPasses.size()) {
        full_ = true;
        return;
      }
      y_ = kPasses[pass_].first;
    }
  }

  const Frame& frame_;
  const std::size_t stride_;
  std::uint8_t* const at_;
  std::uint32_t x_ = 0, y_ = 0;
  std::size_t pass_ = 0;
  bool full_ = false;
};

// LZW: each code is a byte, or an earlier string and one byte more.
class Lzw {
 public:
  explicit Lzw(int bits) : bits_(bits), clear_(1U << bits) { Clear(); }

  Status Decode(CodeReader& codes, Canvas& canvas) {
    while (!canvas.full()) {
      const std::optional<std::uint32_t> code = codes.Next(code_bits_);
      if (!code || *code == clear_ + 1) {
        return CutShort();
      }
      if (*code == clear_) {
        Clear();
      } else if (!Take(*code, canvas)) {
        return Damaged();
      }
    }
    return OkStatus();
  }

 private:
  void Clear() {
    next_ = clear_ + 2;
    code_bits_ = bits_ + 1;
    fresh_ = true;
  }

  bool Take(std::uint32_t code, Canvas& canvas) {
    if (fresh_) {
      if (code > clear_) {
        return false;
      }
      fresh_ = false;
      last_code_ = first_ = code;
      canvas.Put(static_cast<std::uint8_t>(code));
      return true;
    }
    if (code > next_) {
      return false;
    }
    std::size_t size = 0;  // of the string, which is found from its end
    std::uint32_t at = code;
    if (code == next_) {
      string_[size++] = static_cast<std::uint8_t>(first_);
      at = last_code_;
    }
    while (at >= clear_) {
      if (size == string_.size() || at >= kCodeCount) {
        return false;
      }
      string_[size++] = bytes_[at];
      at = links_[at];
    }
    first_ = at;
    Add();
    last_code_ = code;
    canvas.Put(static_cast<std::uint8_t>(at));
    while (size > 0 && !canvas.full()) {
      canvas.Put(string_[--size]);
    }
    return true;
  }

  // The string before, and the first byte of this one.
  void Add() {
    if (next_ >= kCodeCount) {
      return;
    }
    bytes_[next_] = static_cast<std::uint8_t>(first_);
    links_[next_] = static_cast<std::uint16_t>(last_code_);
    if (next_ == (1U << code_bits_) - 1 && code_bits_ < kCodeBitsMax) {
      ++code_bits_;
    }
    ++next_;
  }

  const int bits_;
  const std::uint32_t clear_;
  std::uint32_t next_ = 0, last_code_ = 0, first_ = 0;
  int code_bits_ = 0;
  bool fresh_ = true;  // no code has come since the last clear
  std::array<std::uint8_t, kCodeCount> bytes_{};
  std::array<std::uint16_t, kCodeCount> links_{};
  std::array<std::uint8_t, kCodeCount> string_{};
};

}  // namespace

Status DecodeGif(Bytes data, const DecodeOptions& options, RowConsumer& consumer) {
  ByteReader reader(data);
  reader.Take(6);  // the signature
  std::uint32_t width = reader.U16(), height = reader.U16();
  const std::uint8_t flags = reader.U8();
  reader.U16();  // background and aspect
  std::optional<Palette> palette;
  if ((flags & 128) != 0) {
    palette = ReadPalette(reader, (flags & 7) + 1);
  }
  HEADRACE_ASSIGN_OR_RETURN(const Frame frame, FindFrame(reader));
  // The screen grows with an image that leaves it.
  width = std::max(width, frame.left + frame.width);
  height = std::max(height, frame.top + frame.height);
  HEADRACE_RETURN_IF_ERROR(CheckDimensions(width, height, options));
  const std::size_t pixel_count = std::size_t{width} * height;
  HEADRACE_ASSIGN_OR_RETURN(const MemoryCharge charge, MemoryCharge::Take(options, pixel_count));
  std::vector<std::uint8_t> screen(pixel_count, frame.transparency.value_or(0));
  CodeReader codes(reader);
  Canvas canvas(frame, width, screen.data());
  HEADRACE_RETURN_IF_ERROR(Lzw(frame.code_bits).Decode(codes, canvas));
  HEADRACE_RETURN_IF_ERROR(consumer.Begin(width, height));
  GiveRows(screen, width, false, frame.palette.value_or(palette.value_or(Palette())), consumer);
  return OkStatus();
}

}  // namespace headrace::image

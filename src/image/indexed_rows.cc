#include "image/indexed_rows.h"

#include <cstring>
#include <vector>

namespace headrace::image {

Palette::Palette() {
  for (std::size_t i = 0; i < colors_.size(); ++i) {
    colors_[i] = static_cast<std::uint8_t>(i / 3);
  }
}

Palette Palette::Black() {
  Palette palette;
  palette.colors_.fill(0);
  return palette;
}

void Palette::Set(std::size_t index, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  if (index < colors_.size() / 3) {
    colors_[index * 3] = red;
    colors_[index * 3 + 1] = green;
    colors_[index * 3 + 2] = blue;
  }
}

void Palette::Expand(std::span<const std::uint8_t> indexes, std::uint8_t* rgb) const {
  for (const std::uint8_t index : indexes) {
    std::memcpy(rgb, colors_.data() + std::size_t{index} * 3, 3);
    rgb += 3;
  }
}

void GiveRows(std::span<const std::uint8_t> indexes, std::size_t width, bool bottom_up,
              const Palette& palette, RowConsumer& consumer) {
  std::vector<std::uint8_t> row(width * 3 + kRowPadding);
  const std::size_t height = indexes.size() / width;
  for (std::size_t y = 0; y < height; ++y) {
    const std::size_t at = bottom_up ? height - 1 - y : y;
    palette.Expand(indexes.subspan(at * width, width), row.data());
    consumer.Row(row.data());
  }
}

}  // namespace headrace::image

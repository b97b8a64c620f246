#include "image/tensor_writer.h"

namespace headrace::image {

ChannelTables::ChannelTables() {
  for (auto& table : tables_) {
    for (std::size_t value = 0; value < table.size(); ++value) {
      table[value] = static_cast<float>(value) / 255.0F;
    }
  }
}

ChannelTables::ChannelTables(const std::array<float, 3>& mean,
                             const std::array<float, 3>& deviation)
    : ChannelTables() {
  for (std::size_t channel = 0; channel < tables_.size(); ++channel) {
    for (float& value : tables_[channel]) {
      value = (value - mean[channel]) / deviation[channel];
    }
  }
}

void ChannelTables::WriteRow(std::span<const std::uint8_t> rgb, std::size_t plane,
                             float* out) const {
  for (std::size_t channel = 0; channel < tables_.size(); ++channel) {
    const std::array<float, 256>& table = tables_[channel];
    float* const to = out + channel * plane;
    for (std::size_t x = 0, width = rgb.size() / 3; x < width; ++x) {
      to[x] = table[rgb[x * 3 + channel]];
    }
  }
}

}  // namespace headrace::image

// From RGB rows to the float tensors that networks take: channels first.
#ifndef HEADRACE_IMAGE_TENSOR_WRITER_H_
#define HEADRACE_IMAGE_TENSOR_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace headrace::image {

// What torchvision's ToTensor and Normalize make of each of the 256 values of a channel, to the
// bit: (value / 255 - mean) / deviation in single precision.
class ChannelTables {
 public:
  // ToTensor alone.
  ChannelTables();
  ChannelTables(const std::array<float, 3>& mean, const std::array<float, 3>& deviation);

  // One row of `rgb` into the three planes that begin at `out`, `plane` elements apart.
  void WriteRow(std::span<const std::uint8_t> rgb, std::size_t plane, float* out) const;

 private:
  std::array<std::array<float, 256>, 3> tables_;
};

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_TENSOR_WRITER_H_

// The decoders behind Decode, one for each format. See decode.h.
#ifndef HEADRACE_IMAGE_FORMATS_H_
#define HEADRACE_IMAGE_FORMATS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/result.h"
#include "image/decode.h"

namespace headrace::image {

using Bytes = std::span<const std::byte>;

// Each gives the rows of an image whose first bytes are its format's.
Status DecodeJpeg(Bytes data, const DecodeOptions& options, RowConsumer& consumer);
Status DecodePng(Bytes data, const DecodeOptions& options, RowConsumer& consumer);
Status DecodeWebp(Bytes data, const DecodeOptions& options, RowConsumer& consumer);
Status DecodeGif(Bytes data, const DecodeOptions& options, RowConsumer& consumer);
Status DecodeBmp(Bytes data, const DecodeOptions& options, RowConsumer& consumer);

// INVALID_ARGUMENT unless the image has a pixel, and no more than allowed.
Status CheckDimensions(std::uint64_t width, std::uint64_t height, const DecodeOptions& options);

// A share of the budget for as long as it lives.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  // RESOURCE_EXHAUSTED when the budget has not so much left.
  static Result<MemoryCharge> Take(const DecodeOptions& options, std::uint64_t byte_size);
  MemoryCharge(MemoryCharge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), byte_size_(other.byte_size_) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(byte_size_, other.byte_size_);
    return *this;
  }
  ~MemoryCharge() {
    if (budget_ != nullptr) {
      budget_->Release(byte_size_);
    }
  }

 private:
  MemoryBudget* budget_ = nullptr;
  std::size_t byte_size_ = 0;
};

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_FORMATS_H_

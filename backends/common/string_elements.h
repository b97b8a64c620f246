// BYTES tensors as the protocol serialises them: a 4-byte little-endian length and the bytes of
// each element (contracts, Triton 1.12).
#ifndef HEADRACE_BACKENDS_COMMON_STRING_ELEMENTS_H_
#define HEADRACE_BACKENDS_COMMON_STRING_ELEMENTS_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "common/batch_driver.h"
#include "common/error.h"

namespace headrace::backend {

// The elements of a serialised tensor. They may hold NUL bytes. INVALID_ARG if the bytes are not
// exactly `element_count` elements.
Error ReadStringElements(std::span<const std::byte> serialised, std::size_t element_count,
                         std::vector<std::string>* elements);

// Elements that a runtime has as strings, for the driver. Borrows them.
class StringSpan final : public StringElements {
 public:
  explicit StringSpan(std::span<const std::string> elements) : elements_(elements) {}

  std::size_t count() const override { return elements_.size(); }
  std::size_t SerialisedByteSize(std::size_t first, std::size_t count) const override;
  void Serialise(std::size_t first, std::size_t count, std::byte* destination) const override;

 private:
  std::span<const std::string> elements_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_STRING_ELEMENTS_H_

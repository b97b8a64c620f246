// BYTES tensors of the protocol to string tensors of the runtime, and back.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_STRING_TENSOR_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_STRING_TENSOR_H_

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/batch_driver.h"
#include "common/error.h"

namespace headrace::backend {

// `serialised`: a 4-byte little-endian length and the bytes of each element. Elements may hold NUL
// bytes. INVALID_ARG if the bytes are not exactly the elements of `shape`. May throw
// Ort::Exception.
Error MakeStringTensor(std::span<const std::byte> serialised, std::span<const std::int64_t> shape,
                       Ort::Value* value);

// The elements of a string tensor, serialised one by one. May throw Ort::Exception.
class StringTensorReader final : public StringElements {
 public:
  explicit StringTensorReader(const Ort::Value& value);

  std::size_t count() const override { return offsets_.size(); }
  std::size_t SerialisedByteSize(std::size_t first, std::size_t count) const override;
  void Serialise(std::size_t first, std::size_t count, std::byte* destination) const override;

 private:
  std::size_t ElementByteSize(std::size_t i) const;

  std::string content_;               // all elements, one behind the other
  std::vector<std::size_t> offsets_;  // where each begins
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_STRING_TENSOR_H_

// A typed, shaped view of bytes.
#ifndef HEADRACE_TENSOR_TENSOR_H_
#define HEADRACE_TENSOR_TENSOR_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tensor/buffer.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace headrace {

enum class MemoryKind : std::uint8_t { kCpu = 0, kCpuPinned = 1, kGpu = 2 };

// Elements in row-major order, little-endian. BYTES elements are serialised: a 4-byte little-endian
// length and the bytes, one after the other (contracts, Triton 1.12). Constructing or copying one
// never copies the elements.
struct Tensor {
  DataType dtype = DataType::kInvalid;
  Shape shape;
  MemoryKind memory_kind = MemoryKind::kCpu;
  std::int64_t memory_id = 0;
  Buffer data;                         // the first fragment; usually the only one
  std::vector<Buffer> more_fragments;  // in order, behind `data`

  std::size_t byte_size() const {
    std::size_t total = data.size();
    for (const Buffer& fragment : more_fragments) {
      total += fragment.size();
    }
    return total;
  }
  std::size_t fragment_count() const { return 1 + more_fragments.size(); }
  const Buffer& fragment(std::size_t i) const { return i == 0 ? data : more_fragments[i - 1]; }
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace headrace

#endif  // HEADRACE_TENSOR_TENSOR_H_

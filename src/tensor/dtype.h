// Element types of tensors. Names and sizes: contracts, Triton 1.12.
#ifndef HEADRACE_TENSOR_DTYPE_H_
#define HEADRACE_TENSOR_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headrace {

// The numbers are those of Triton's ABI and of `data_type` in a model configuration.
enum class DataType : std::uint8_t {
  kInvalid = 0,
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBytes = 13,
  kBf16 = 14,
};

// Bytes of one element; 0 for kBytes (variable) and kInvalid.
std::size_t DataTypeByteSize(DataType dtype);
// The v2 protocol's name: "FP32", "BYTES", ...; "<invalid>" for kInvalid.
std::string_view DataTypeName(DataType dtype);
// The exact upper-case name, or kInvalid.
DataType DataTypeFromName(std::string_view name);

}  // namespace headrace

#endif  // HEADRACE_TENSOR_DTYPE_H_

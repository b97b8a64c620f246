#include "onnxruntime/string_tensor.h"

#include <cstring>

namespace headrace::backend {
namespace {

constexpr std::size_t kLengthByteSize = sizeof(std::uint32_t);

}  // namespace

Error MakeStringTensor(std::span<const std::byte> serialised, std::span<const std::int64_t> shape,
                       Ort::Value* value) {
  std::size_t element_count = 1;
  for (const std::int64_t dim : shape) {
    if (__builtin_mul_overflow(element_count, static_cast<std::size_t>(dim), &element_count)) {
      return InvalidArgument("the string tensor has too many elements");
    }
  }
  if (element_count > serialised.size() / kLengthByteSize) {
    return InvalidArgument("{} bytes cannot hold {} string elements", serialised.size(),
                           element_count);
  }
  const Ort::AllocatorWithDefaultOptions allocator;
  *value = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(),
                                    ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < element_count; ++i) {
    std::uint32_t length = 0;
    if (serialised.size() - offset < kLengthByteSize) {
      return InvalidArgument("string element {} has an incomplete length", i);
    }
    std::memcpy(&length, serialised.data() + offset, kLengthByteSize);
    offset += kLengthByteSize;
    if (serialised.size() - offset < length) {
      return InvalidArgument("string element {} is incomplete", i);
    }
    char* const element = value->GetResizedStringTensorElementBuffer(i, length);
    if (length != 0) {
      std::memcpy(element, serialised.data() + offset, length);
    }
    offset += length;
  }
  if (offset != serialised.size()) {
    return InvalidArgument("{} bytes follow the last string element", serialised.size() - offset);
  }
  return {};
}

StringTensorReader::StringTensorReader(const Ort::Value& value)
    : content_(value.GetStringTensorDataLength(), '\0'),
      offsets_(value.GetTensorTypeAndShapeInfo().GetElementCount()) {
  if (!offsets_.empty()) {
    value.GetStringTensorContent(content_.data(), content_.size(), offsets_.data(),
                                 offsets_.size());
  }
}

std::size_t StringTensorReader::ElementByteSize(std::size_t i) const {
  return (i + 1 < offsets_.size() ? offsets_[i + 1] : content_.size()) - offsets_[i];
}

std::size_t StringTensorReader::SerialisedByteSize(std::size_t first, std::size_t count) const {
  std::size_t byte_size = count * kLengthByteSize;
  for (std::size_t i = first; i < first + count; ++i) {
    byte_size += ElementByteSize(i);
  }
  return byte_size;
}

void StringTensorReader::Serialise(std::size_t first, std::size_t count,
                                   std::byte* destination) const {
  for (std::size_t i = first; i < first + count; ++i) {
    const auto length = static_cast<std::uint32_t>(ElementByteSize(i));
    std::memcpy(destination, &length, kLengthByteSize);
    std::memcpy(destination + kLengthByteSize, content_.data() + offsets_[i], length);
    destination += kLengthByteSize + length;
  }
}

}  // namespace headrace::backend

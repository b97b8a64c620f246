#include "common/string_elements.h"

#include <cstdint>
#include <cstring>

namespace headrace::backend {
namespace {

constexpr std::size_t kLengthByteSize = sizeof(std::uint32_t);

}  // namespace

Error ReadStringElements(std::span<const std::byte> serialised, std::size_t element_count,
                         std::vector<std::string>* elements) {
  elements->clear();
  if (element_count > serialised.size() / kLengthByteSize) {
    return InvalidArgument("{} bytes cannot hold {} string elements", serialised.size(),
                           element_count);
  }
  elements->reserve(element_count);
  for (std::size_t i = 0; i < element_count; ++i) {
    std::uint32_t length = 0;
    if (serialised.size() < kLengthByteSize) {
      return InvalidArgument("string element {} has an incomplete length", i);
    }
    std::memcpy(&length, serialised.data(), kLengthByteSize);
    serialised = serialised.subspan(kLengthByteSize);
    if (serialised.size() < length) {
      return InvalidArgument("string element {} is incomplete", i);
    }
    elements->emplace_back(reinterpret_cast<const char*>(serialised.data()), length);
    serialised = serialised.subspan(length);
  }
  if (!serialised.empty()) {
    return InvalidArgument("{} bytes follow the last string element", serialised.size());
  }
  return {};
}

std::size_t StringSpan::SerialisedByteSize(std::size_t first, std::size_t count) const {
  std::size_t byte_size = count * kLengthByteSize;
  for (const std::string& element : elements_.subspan(first, count)) {
    byte_size += element.size();
  }
  return byte_size;
}

void StringSpan::Serialise(std::size_t first, std::size_t count, std::byte* destination) const {
  for (const std::string& element : elements_.subspan(first, count)) {
    const auto length = static_cast<std::uint32_t>(element.size());
    std::memcpy(destination, &length, kLengthByteSize);
    std::memcpy(destination + kLengthByteSize, element.data(), length);
    destination += kLengthByteSize + length;
  }
}

}  // namespace headrace::backend

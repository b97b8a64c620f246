#include "tensor/bytes_codec.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace headrace {
namespace {

constexpr std::size_t kPrefixByteSize = sizeof(std::uint32_t);

std::uint32_t LoadLength(const void* bytes) {
  unsigned char b[kPrefixByteSize];
  std::memcpy(b, bytes, kPrefixByteSize);
  return std::uint32_t{b[0]} | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 |
         std::uint32_t{b[3]} << 24;
}

// Walks elements over any number of fragments; an element, and its length too, may straddle them.
class ElementWalk {
 public:
  explicit ElementWalk(std::int64_t element_count_max) : element_count_max_(element_count_max) {}

  // False once there are more elements than expected; then nothing more may be fed.
  bool Feed(std::string_view bytes) {
    while (!bytes.empty()) {
      if (body_remaining_ > 0) {
        const std::size_t step = std::min(body_remaining_, bytes.size());
        body_remaining_ -= step;
        bytes.remove_prefix(step);
        continue;
      }
      if (prefix_size_ == 0 && bytes.size() >= kPrefixByteSize) {
        if (!Begin(LoadLength(bytes.data()))) {
          return false;
        }
        bytes.remove_prefix(kPrefixByteSize);
        continue;
      }
      prefix_[prefix_size_++] = bytes.front();
      bytes.remove_prefix(1);
      if (prefix_size_ == kPrefixByteSize) {
        prefix_size_ = 0;
        if (!Begin(LoadLength(prefix_))) {
          return false;
        }
      }
    }
    return true;
  }

  std::int64_t elements_begun() const { return elements_begun_; }
  std::size_t prefix_size() const { return prefix_size_; }  // bytes of a length that is not whole
  std::size_t body_remaining() const { return body_remaining_; }
  std::size_t last_length() const { return last_length_; }

 private:
  bool Begin(std::uint32_t length) {
    last_length_ = body_remaining_ = length;
    return ++elements_begun_ <= element_count_max_;
  }

  const std::int64_t element_count_max_;
  std::int64_t elements_begun_ = 0;
  std::size_t body_remaining_ = 0;
  std::size_t last_length_ = 0;
  std::size_t prefix_size_ = 0;
  char prefix_[kPrefixByteSize] = {};
};

Status IncompletePrefix(std::size_t available, std::string_view name, std::string_view model) {
  return InvalidArgument(
      "incomplete string length indicator for inference input '{}' for model '{}', expecting {} "
      "bytes but only {} bytes available",
      name, model, kPrefixByteSize, available);
}

}  // namespace

void AppendBytesElement(std::string& out, std::string_view element) {
  HEADRACE_CHECK(element.size() <= UINT32_MAX);
  const auto length = static_cast<std::uint32_t>(element.size());
  const char prefix[kPrefixByteSize] = {
      static_cast<char>(length & 0xff), static_cast<char>(length >> 8 & 0xff),
      static_cast<char>(length >> 16 & 0xff), static_cast<char>(length >> 24 & 0xff)};
  out.append(prefix, kPrefixByteSize);
  out.append(element);
}

Status ValidateBytesTensor(const Tensor& tensor, std::int64_t element_count, std::string_view name,
                           std::string_view model) {
  if (tensor.memory_kind == MemoryKind::kGpu) {
    return OkStatus();  // not readable from here; the backend that reads it checks
  }
  ElementWalk walk(element_count);
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    if (!walk.Feed(tensor.fragment(i).view())) {
      return InvalidArgument(
          "unexpected number of string elements {} for inference input '{}' for model '{}', "
          "expecting {}",
          walk.elements_begun(), name, model, element_count);
    }
  }
  if (walk.prefix_size() > 0) {
    return IncompletePrefix(walk.prefix_size(), name, model);
  }
  if (walk.elements_begun() != element_count) {
    return InvalidArgument(
        "expected {} string elements for inference input '{}' for model '{}', got {}",
        element_count, name, model, walk.elements_begun());
  }
  if (walk.body_remaining() > 0) {
    return InvalidArgument(
        "incomplete string data for inference input '{}', expecting string of length {} but only "
        "{} bytes available",
        name, walk.last_length(), walk.last_length() - walk.body_remaining());
  }
  return OkStatus();
}

Result<std::vector<std::string_view>> SplitBytesElements(std::string_view bytes) {
  std::vector<std::string_view> elements;
  while (!bytes.empty()) {
    if (bytes.size() < kPrefixByteSize) {
      return InvalidArgument("incomplete string length indicator, {} bytes left", bytes.size());
    }
    const std::size_t length = LoadLength(bytes.data());
    bytes.remove_prefix(kPrefixByteSize);
    if (length > bytes.size()) {
      return InvalidArgument("incomplete string data, expecting {} bytes but only {} bytes left",
                             length, bytes.size());
    }
    elements.push_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  return elements;
}

}  // namespace headrace

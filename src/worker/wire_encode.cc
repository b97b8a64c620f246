#include <cstring>
#include <limits>

#include "worker/wire.h"
#include "worker/wire_format.h"

namespace headrace::worker {
namespace {

template <typename T>
void Append(std::string& out, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendPadded(std::string& out, std::string_view text) {
  out.append(text);
  out.resize((out.size() + 7) / 8 * 8);
}

void AppendTensor(std::string& out, const WireTensor& tensor) {
  const bool named = tensor.name_index == kNameFollows;
  // No model has names of that length; whatever is longer is no name that anybody asked for.
  const std::string_view name = tensor.name.substr(0, std::numeric_limits<std::uint16_t>::max());
  Append(out, TensorFormat{.offset = tensor.offset,
                           .byte_size = tensor.byte_size,
                           .name_index = tensor.name_index,
                           .dtype = static_cast<std::uint8_t>(tensor.dtype),
                           .rank = static_cast<std::uint8_t>(tensor.shape.rank()),
                           .name_size = static_cast<std::uint16_t>(named ? name.size() : 0),
                           .zero = 0});
  for (const std::int64_t dim : tensor.shape) {
    Append(out, dim);
  }
  if (named) {
    AppendPadded(out, name);
  }
}

}  // namespace

void EncodeHead(const Head& head, std::byte* out) {
  const HeadFormat format{.magic = kMagic,
                          .type = static_cast<std::uint16_t>(head.type),
                          .flags = head.flags,
                          .body_size = head.body_size,
                          .body_offset = head.body_offset};
  std::memcpy(out, &format, sizeof(format));
}

void AppendExecute(std::string& out, std::uint32_t request_count, std::uint64_t block_offset,
                   std::uint64_t block_size) {
  Append(out, ExecuteFormat{.request_count = request_count,
                            .zero = 0,
                            .block_offset = block_offset,
                            .block_size = block_size});
}

void AppendRequest(std::string& out, const WireRequest& request) {
  Append(out, RequestFormat{.key = request.key,
                            .correlation_id = request.correlation_id,
                            .timeout_us = request.timeout_us,
                            .flags = request.sequence_flags,
                            .cancel_slot = request.cancel_slot,
                            .tensor_count = static_cast<std::uint32_t>(request.tensors.size()),
                            .extras_size = static_cast<std::uint32_t>(request.extras.size())});
  for (const WireTensor& tensor : request.tensors) {
    AppendTensor(out, tensor);
  }
  AppendPadded(out, request.extras);
}

void AppendResponseCount(std::string& out, std::uint32_t response_count) {
  Append(out, CountFormat{.count = response_count, .zero = 0});
}

void AppendResponse(std::string& out, const WireResponse& response) {
  const std::uint32_t flags =
      (response.final ? kResponseFinal : 0) | (response.error ? kResponseError : 0);
  Append(out, ResponseFormat{.key = response.key,
                             .flags = flags,
                             .tensor_count = static_cast<std::uint32_t>(response.tensors.size()),
                             .extras_size = static_cast<std::uint32_t>(response.extras.size()),
                             .zero = 0});
  for (const WireTensor& tensor : response.tensors) {
    AppendTensor(out, tensor);
  }
  AppendPadded(out, response.extras);
}

void AppendRelease(std::string& out, std::span<const std::uint64_t> offsets) {
  AppendResponseCount(out, static_cast<std::uint32_t>(offsets.size()));
  for (const std::uint64_t offset : offsets) {
    Append(out, offset);
  }
}

}  // namespace headrace::worker

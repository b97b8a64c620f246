#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "base/checked_math.h"
#include "worker/wire.h"
#include "worker/wire_format.h"

namespace headrace::worker {
namespace {

bool IsKnownType(std::uint16_t type) {
  return (type >= static_cast<std::uint16_t>(MessageType::kHello) &&
          type <= static_cast<std::uint16_t>(MessageType::kForked)) ||
         (type >= static_cast<std::uint16_t>(MessageType::kResponse) &&
          type <= static_cast<std::uint16_t>(MessageType::kReadiness));
}

Status CheckTensor(const WireTensor& tensor, const DecodeRules& rules) {
  if (tensor.dtype == DataType::kInvalid || tensor.dtype > DataType::kBf16) {
    return InvalidArgument("a tensor has the data type {}", static_cast<int>(tensor.dtype));
  }
  const std::optional<std::int64_t> count = tensor.shape.ElementCount();
  if (!count) {
    return InvalidArgument("a tensor has the shape {}", tensor.shape.ToString());
  }
  const bool fixed = tensor.dtype != DataType::kBytes;
  // An element of BYTES has at least its length.
  const std::size_t element_size = fixed ? DataTypeByteSize(tensor.dtype) : sizeof(std::uint32_t);
  const auto least =
      CheckedMultiply(static_cast<std::uint64_t>(*count), static_cast<std::uint64_t>(element_size));
  if (!least || (fixed ? tensor.byte_size != *least : tensor.byte_size < *least)) {
    return InvalidArgument("a tensor {} of type {} has {} bytes", tensor.shape.ToString(),
                           DataTypeName(tensor.dtype), tensor.byte_size);
  }
  if (tensor.byte_size > 0 && !rules.worker_half.Holds(tensor.offset, tensor.byte_size) &&
      !rules.block.Holds(tensor.offset, tensor.byte_size)) {
    return InvalidArgument("a tensor of {} bytes lies at {}, which is not the worker's",
                           tensor.byte_size, tensor.offset);
  }
  return OkStatus();
}

}  // namespace

// Walks over a body; after the first thing that does not fit every read fails.
class WireDecoder::Reader {
 public:
  explicit Reader(std::span<const std::byte> body) : body_(body) {}

  template <typename T>
  bool Read(T& value) {
    if (left() < sizeof(T)) {
      return Stop();
    }
    std::memcpy(&value, body_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  // `byte_size` bytes and what pads them to a multiple of 8.
  bool ReadPadded(std::size_t byte_size, std::string_view& text) {
    if (byte_size > left() || (byte_size + 7) / 8 * 8 > left()) {
      return Stop();
    }
    text = {reinterpret_cast<const char*>(body_.data()) + at_, byte_size};
    at_ += (byte_size + 7) / 8 * 8;
    return true;
  }
  std::size_t left() const { return body_.size() - at_; }

 private:
  bool Stop() {
    at_ = body_.size();
    return false;
  }
  std::span<const std::byte> body_;
  std::size_t at_ = 0;
};

Result<Head> DecodeHead(std::span<const std::byte> packet) {
  HeadFormat format;
  if (packet.size() < sizeof(format)) {
    return InvalidArgument("a packet of {} bytes", packet.size());
  }
  std::memcpy(&format, packet.data(), sizeof(format));
  const bool in_region = (format.flags & kFlagBodyInRegion) != 0;
  if (format.magic != kMagic || !IsKnownType(format.type)) {
    return InvalidArgument("a packet of type {} with the magic {:#x}", format.type, format.magic);
  }
  if ((format.flags & ~(kFlagBodyInRegion | kFlagBlockFree)) != 0) {
    return InvalidArgument("a packet of type {} has the flags {:#x}", format.type, format.flags);
  }
  if (format.body_size > kBodyByteSizeMax ||
      packet.size() - sizeof(format) != (in_region ? 0 : format.body_size) ||
      (!in_region && format.body_offset != 0)) {
    return InvalidArgument("a packet of type {} has {} bytes, its head says a body of {} at {}",
                           format.type, packet.size(), format.body_size, format.body_offset);
  }
  return Head{.type = static_cast<MessageType>(format.type),
              .flags = format.flags,
              .body_size = format.body_size,
              .body_offset = format.body_offset};
}

Status WireDecoder::ReadTensors(Reader& reader, std::uint32_t count, const DecodeRules& rules) {
  if (count > reader.left() / sizeof(TensorFormat)) {
    return InvalidArgument("{} tensors in {} bytes", count, reader.left());
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    TensorFormat format;
    std::array<std::int64_t, Shape::kRankMax> dims;
    if (!reader.Read(format) || format.rank > Shape::kRankMax || format.zero != 0) {
      return InvalidArgument("a tensor is cut short, or has too many dimensions");
    }
    for (std::size_t d = 0; d < format.rank; ++d) {
      if (!reader.Read(dims[d])) {
        return InvalidArgument("a tensor's shape is cut short");
      }
    }
    WireTensor tensor{.offset = format.offset,
                      .byte_size = format.byte_size,
                      .dtype = static_cast<DataType>(format.dtype),
                      .shape = Shape(std::span(dims.data(), format.rank)),
                      .name_index = format.name_index};
    if (format.name_index != kNameFollows) {
      if (format.name_index >= rules.names.size() || format.name_size != 0) {
        return InvalidArgument("a tensor has the name of number {} of {}", format.name_index,
                               rules.names.size());
      }
      tensor.name = rules.names[format.name_index];
    } else if (!reader.ReadPadded(format.name_size, tensor.name)) {
      return InvalidArgument("a tensor's name is cut short");
    }
    HEADRACE_RETURN_IF_ERROR(CheckTensor(tensor, rules));
    tensors_.push_back(tensor);
  }
  return OkStatus();
}

Result<std::span<const WireResponse>> WireDecoder::Responses(std::span<const std::byte> body,
                                                             const DecodeRules& rules) {
  tensors_.clear();
  tensors_of_.clear();
  responses_.clear();
  Reader reader(body);
  CountFormat head;
  if (!reader.Read(head) || head.zero != 0 || head.count > rules.count_max) {
    return InvalidArgument("a message of {} bytes with more than {} responses, or cut short",
                           body.size(), rules.count_max);
  }
  for (std::uint32_t i = 0; i < head.count; ++i) {
    ResponseFormat format;
    if (!reader.Read(format) || format.zero != 0 ||
        (format.flags &
         ~(kResponseFinal | kResponseError | kResponseRescheduled | kResponseEndsSequence)) != 0) {
      return InvalidArgument("response {} of {} is cut short or has unknown flags", i, head.count);
    }
    WireResponse response{.key = format.key,
                          .final = (format.flags & kResponseFinal) != 0,
                          .error = (format.flags & kResponseError) != 0,
                          .rescheduled = (format.flags & kResponseRescheduled) != 0,
                          .ends_sequence = (format.flags & kResponseEndsSequence) != 0};
    tensors_of_.push_back({.first = tensors_.size(), .count = format.tensor_count});
    HEADRACE_RETURN_IF_ERROR(ReadTensors(reader, format.tensor_count, rules));
    if (!reader.ReadPadded(format.extras_size, response.extras)) {
      return InvalidArgument("the extras of response {} are cut short", i);
    }
    responses_.push_back(response);
  }
  if (reader.left() != 0) {
    return InvalidArgument("{} bytes follow the last response", reader.left());
  }
  for (std::size_t i = 0; i < responses_.size(); ++i) {
    responses_[i].tensors =
        std::span<const WireTensor>(tensors_).subspan(tensors_of_[i].first, tensors_of_[i].count);
  }
  return std::span<const WireResponse>(responses_);
}

Result<WireRequest> WireDecoder::Request(std::span<const std::byte> body,
                                         const DecodeRules& rules) {
  tensors_.clear();
  Reader reader(body);
  RequestFormat format;
  if (!reader.Read(format) || format.cancel_slot != kNoCancelSlot || (format.flags & ~3U) != 0) {
    return InvalidArgument("a call of {} bytes is cut short, or has unknown flags", body.size());
  }
  WireRequest request{.key = format.key,
                      .correlation_id = format.correlation_id,
                      .timeout_us = format.timeout_us,
                      .sequence_flags = format.flags};
  HEADRACE_RETURN_IF_ERROR(ReadTensors(reader, format.tensor_count, rules));
  if (!reader.ReadPadded(format.extras_size, request.extras) || reader.left() != 0) {
    return InvalidArgument("the extras of a call are cut short, or something follows them");
  }
  request.tensors = tensors_;
  return request;
}

Result<std::span<const std::uint64_t>> WireDecoder::Numbers(std::span<const std::byte> body) {
  numbers_.clear();
  Reader reader(body);
  CountFormat head;
  if (!reader.Read(head) || head.zero != 0 || head.count != reader.left() / sizeof(std::uint64_t) ||
      reader.left() % sizeof(std::uint64_t) != 0) {
    return InvalidArgument("a list of {} bytes is not as long as it says", body.size());
  }
  for (std::uint64_t number = 0; reader.Read(number);) {
    numbers_.push_back(number);
  }
  return std::span<const std::uint64_t>(numbers_);
}

}  // namespace headrace::worker

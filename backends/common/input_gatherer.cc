#include "common/input_gatherer.h"

#include <cstring>
#include <new>

namespace headrace::backend {
namespace {

constexpr std::size_t kAlignment = 64;

Error DescribeHandle(TRITONBACKEND_Input* input, InputView* view) {
  const std::int64_t* shape = nullptr;
  std::uint32_t rank = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_InputProperties(
      input, &view->name, &view->dtype, &shape, &rank, &view->byte_size, &view->buffer_count));
  view->shape = {shape, rank};
  view->input = input;
  return {};
}

}  // namespace

Error DescribeInput(TRITONBACKEND_Request* request, const char* name, InputView* view) {
  TRITONBACKEND_Input* input = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_RequestInput(request, name, &input));
  return DescribeHandle(input, view);
}

Error DescribeInput(TRITONBACKEND_Request* request, std::uint32_t index, InputView* view) {
  TRITONBACKEND_Input* input = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_RequestInputByIndex(request, index, &input));
  return DescribeHandle(input, view);
}

Error ReadInputPart(const InputView& view, std::uint32_t index, InputPart* part) {
  const void* base = nullptr;
  std::uint64_t byte_size = 0;
  part->place = {};
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_InputBuffer(view.input, index, &base, &byte_size,
                                                             &part->place.type, &part->place.id));
  part->bytes = {static_cast<const std::byte*>(base), byte_size};
  return {};
}

Error InputBytes(const InputView& view, std::uint32_t index, std::span<const std::byte>* bytes) {
  InputPart part;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadInputPart(view, index, &part));
  if (!part.place.on_host()) {
    return Unsupported("input '{}' is in GPU memory", view.name);
  }
  *bytes = part.bytes;
  return {};
}

Error CopyInput(const InputView& view, std::byte* destination) {
  std::size_t offset = 0;
  for (std::uint32_t i = 0; i < view.buffer_count; ++i) {
    std::span<const std::byte> bytes;
    HEADRACE_BACKEND_RETURN_IF_ERROR(InputBytes(view, i, &bytes));
    if (bytes.size() > view.byte_size - offset) {
      return Internal("input '{}': its buffers hold more than {} bytes", view.name, view.byte_size);
    }
    if (!bytes.empty()) {
      std::memcpy(destination + offset, bytes.data(), bytes.size());
    }
    offset += bytes.size();
  }
  if (offset != view.byte_size) {
    return Internal("input '{}': its buffers hold {} of {} bytes", view.name, offset,
                    view.byte_size);
  }
  return {};
}

void InputGatherer::Free::operator()(std::byte* memory) const {
  ::operator delete[](memory, std::align_val_t{kAlignment});
}

std::byte* InputGatherer::Reserve(std::size_t slot, std::size_t byte_size) {
  if (slot >= scratch_.size()) {
    scratch_.resize(slot + 1);
  }
  Scratch& scratch = scratch_[slot];
  if (scratch.memory == nullptr || scratch.capacity < byte_size) {
    scratch.memory.reset();  // before the new one, so that the peak is one block
    scratch.capacity = 0;
    scratch.memory.reset(
        static_cast<std::byte*>(::operator new[](byte_size, std::align_val_t{kAlignment})));
    scratch.capacity = byte_size;
  }
  return scratch.memory.get();
}

Error InputGatherer::Describe(std::span<TRITONBACKEND_Request* const> requests, const char* name,
                              std::size_t* byte_size) {
  views_.resize(requests.size());
  *byte_size = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(DescribeInput(requests[i], name, &views_[i]));
    if (__builtin_add_overflow(*byte_size, views_[i].byte_size, byte_size)) {
      return InvalidArgument("input '{}': the batch is too large", name);
    }
  }
  return {};
}

Error InputGatherer::Gather(std::span<TRITONBACKEND_Request* const> requests, const char* name,
                            std::size_t slot, GatheredInput* gathered) {
  std::size_t byte_size = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(Describe(requests, name, &byte_size));
  std::size_t buffer_count = 0;
  const InputView* filled = nullptr;  // the last input that has bytes
  for (const InputView& view : views_) {
    if (view.byte_size != 0) {
      buffer_count += view.buffer_count;
      filled = &view;
    }
  }
  if (filled == nullptr) {
    *gathered = {};
    return {};
  }
  if (buffer_count == 1) {
    gathered->copied = false;
    return InputBytes(*filled, 0, &gathered->bytes);
  }
  std::byte* const memory = Reserve(slot, byte_size);
  std::size_t offset = 0;
  for (const InputView& view : views_) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(CopyInput(view, memory + offset));
    offset += view.byte_size;
  }
  *gathered = {{memory, byte_size}, true};
  return {};
}

Error InputGatherer::Collect(std::span<TRITONBACKEND_Request* const> requests, const char* name,
                             std::span<const InputPart>* parts, std::size_t* byte_size) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(Describe(requests, name, byte_size));
  parts_.clear();
  std::size_t collected = 0;
  for (const InputView& view : views_) {
    for (std::uint32_t k = 0; k < view.buffer_count; ++k) {
      InputPart part;
      HEADRACE_BACKEND_RETURN_IF_ERROR(ReadInputPart(view, k, &part));
      if (part.bytes.size() > *byte_size - collected) {
        return Internal("input '{}': its buffers hold more than {} bytes", name, *byte_size);
      }
      collected += part.bytes.size();
      if (!part.bytes.empty()) {
        parts_.push_back(part);
      }
    }
  }
  if (collected != *byte_size) {
    return Internal("input '{}': its buffers hold {} of {} bytes", name, collected, *byte_size);
  }
  *parts = parts_;
  return {};
}

}  // namespace headrace::backend

// Reading the inputs of requests: in place where one buffer holds them, with one copy where a batch
// must be joined.
#ifndef HEADRACE_BACKENDS_COMMON_INPUT_GATHERER_H_
#define HEADRACE_BACKENDS_COMMON_INPUT_GATHERER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// One input of one request; everything is the request's and valid until its release.
struct InputView {
  const char* name = nullptr;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::span<const std::int64_t> shape;  // with the batch dimension
  std::uint64_t byte_size = 0;
  std::uint32_t buffer_count = 0;
  TRITONBACKEND_Input* input = nullptr;
};

// Where bytes lie. `id` is the number of the device for GPU memory.
struct MemoryPlace {
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
  std::int64_t id = 0;

  // The processor can read and write it; pinned memory counts.
  bool on_host() const { return type != TRITONSERVER_MEMORY_GPU; }
};

// One buffer of an input; the request's.
struct InputPart {
  std::span<const std::byte> bytes;
  MemoryPlace place;
};

// INVALID_ARG if the request has no input of that name or index.
Error DescribeInput(TRITONBACKEND_Request* request, const char* name, InputView* view);
Error DescribeInput(TRITONBACKEND_Request* request, std::uint32_t index, InputView* view);

// Buffer `index`, wherever it is.
Error ReadInputPart(const InputView& view, std::uint32_t index, InputPart* part);
// The bytes of buffer `index`. UNSUPPORTED for device memory.
Error InputBytes(const InputView& view, std::uint32_t index, std::span<const std::byte>* bytes);
// All buffers in order into `destination`, which has view.byte_size bytes. INTERNAL if the buffers
// say otherwise.
Error CopyInput(const InputView& view, std::byte* destination);

// The bytes of one input for a whole batch.
struct GatheredInput {
  std::span<const std::byte> bytes;
  bool copied = false;  // false: the request's own memory
};

// Joins inputs and keeps the memory for the next batch. One per instance; not thread-safe.
class InputGatherer {
 public:
  // Joins input `name` of all requests in order. The result is valid until the next Gather with the
  // same `slot` (one per input) and the release of the requests. One buffer in all: no copy. Else:
  // one copy, 64-byte aligned.
  Error Gather(std::span<TRITONBACKEND_Request* const> requests, const char* name, std::size_t slot,
               GatheredInput* gathered);

  // The buffers of input `name` of all requests in order, without those that are empty, wherever
  // they are; `byte_size` is their sum. Nothing is copied. The result is valid until the next call
  // and the release of the requests.
  Error Collect(std::span<TRITONBACKEND_Request* const> requests, const char* name,
                std::span<const InputPart>* parts, std::size_t* byte_size);

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  struct Scratch {
    std::unique_ptr<std::byte[], Free> memory;
    std::size_t capacity = 0;
  };
  // The views of input `name`, and their bytes in all.
  Error Describe(std::span<TRITONBACKEND_Request* const> requests, const char* name,
                 std::size_t* byte_size);
  std::byte* Reserve(std::size_t slot, std::size_t byte_size);

  std::vector<Scratch> scratch_;
  std::vector<InputView> views_;
  std::vector<InputPart> parts_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_INPUT_GATHERER_H_

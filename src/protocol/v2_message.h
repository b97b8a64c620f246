// The v2 protocol's inference messages, between the wire and the engine.
#ifndef HEADRACE_PROTOCOL_V2_MESSAGE_H_
#define HEADRACE_PROTOCOL_V2_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/parameter.h"
#include "tensor/tensor.h"

namespace headrace::protocol {

// A part of a region that the client has registered: bytes that do not travel with the message.
struct V2SharedMemory {
  std::string region;
  std::uint64_t offset = 0;
  std::uint64_t byte_size = 0;
};

struct V2RequestedOutput {
  std::string name;
  std::optional<bool> binary_data;         // nothing: the request's binary_data_output decides
  std::uint64_t classification_count = 0;  // above 0: the top classes in place of the tensor; 0
                                           // given by the client means none, as in Triton
  std::optional<V2SharedMemory> shared_memory = {};  // the tensor goes there
};

// An input whose bytes are in shared memory: `inputs[index]` has no data until somebody has fetched
// it.
struct V2SharedInput {
  std::size_t index = 0;
  V2SharedMemory memory;
};

// A parsed request. Input tensors are slices of the body (binary) or converted from JSON.
struct V2InferRequest {
  std::string id;
  std::vector<NamedTensor> inputs;
  std::vector<V2SharedInput> shared_inputs = {};
  std::vector<V2RequestedOutput> outputs;  // empty = all
  bool binary_output_default = false;
  std::uint64_t priority = 0;
  std::uint64_t timeout_us = 0;
  std::uint64_t correlation_id = 0;
  std::string correlation_id_text;
  std::uint32_t sequence_flags = 0;   // 1 = start, 2 = end
  std::vector<Parameter> parameters;  // those that are not reserved, for the backend
};

struct V2OutputTensor {
  std::string_view name;
  const Tensor* tensor = nullptr;
  bool binary = false;
  bool elsewhere = false;  // in shared memory: only name, datatype and shape are written
};

struct V2InferResponse {
  std::string_view model_name;
  std::int64_t model_version = 1;
  std::string_view id;
  const std::vector<Parameter>* parameters = nullptr;  // may be null
  std::vector<V2OutputTensor> outputs;
};

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_V2_MESSAGE_H_

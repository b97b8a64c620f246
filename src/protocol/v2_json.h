// Reads and writes v2 inference over HTTP: JSON with the binary tensor data extension (contracts,
// Triton 1.6, 1.7, 1.9).
#ifndef HEADRACE_PROTOCOL_V2_JSON_H_
#define HEADRACE_PROTOCOL_V2_JSON_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/v2_message.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"
#include "tensor/dtype.h"

namespace headrace::protocol {

struct V2JsonLimits {
  std::size_t json_byte_size_max = std::size_t{64}
                                   << 20;  // of the JSON part, and of each tensor made from JSON
  std::size_t depth_max = 64;
  std::size_t id_byte_size_max = 256;
  std::size_t parameter_count_max = 256;
  std::size_t input_count_max = 1024;  // the caller lowers both to what the model declares
  std::size_t output_count_max = 1024;
};

// Parser state that is worth keeping between requests: one per thread, not thread-safe.
class V2JsonParser {
 public:
  V2JsonParser();
  ~V2JsonParser();

  // `body`: the whole body, followed by at least BlockPool::kPadding readable bytes.
  // `json_byte_size`: where the raw tensor bytes begin (Inference-Header-Content-Length), or
  // nothing when the header was absent (the whole body is JSON). Tensors made from JSON get their
  // memory from `pool`. INVALID_ARGUMENT names the field path ("inputs[0].data[3]: 300 is out of
  // range for INT8"); what Triton words in a fixed way keeps its words. Never throws, never
  // recurses on outside data.
  Result<V2InferRequest> ParseInferRequest(const Buffer& body,
                                           std::optional<std::uint64_t> json_byte_size,
                                           std::string_view model_name, const V2JsonLimits& limits,
                                           BlockPool& pool);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The value of an Inference-Header-Content-Length header: decimal digits and nothing else;
// INVALID_ARGUMENT "inference header size should be in range ..." otherwise. That it is within the
// body ParseInferRequest checks.
Result<std::uint64_t> ParseInferenceHeaderLength(std::string_view value);

// What a raw request (Inference-Header-Content-Length: 0) must know of the model, which has exactly
// one input.
struct V2RawInput {
  std::string_view name;
  DataType dtype = DataType::kInvalid;
  std::span<const std::int64_t> dims;  // as configured, without the batch dimension; -1 = any
  bool batched = false;                // the model has a batch dimension: 1 is put in front
};

// The whole body as the model's only input (contracts, Triton 1.7). One dimension may be -1 and
// follows from the size; BYTES takes one element, the body itself, which is copied to get its
// length in front. Outputs default to binary. INVALID_ARGUMENT when the size does not fit,
// RESOURCE_EXHAUSTED above limits.json_byte_size_max.
Result<V2InferRequest> ParseRawInferRequest(const Buffer& body, const V2RawInput& input,
                                            std::string_view model_name, const V2JsonLimits& limits,
                                            BlockPool& pool);

struct V2EncodedResponse {
  std::vector<Buffer> body;  // JSON, then the binary outputs as they are
  std::optional<std::uint64_t>
      json_byte_size;  // set when an output is binary: Inference-Header-Content-Length
};

// Encodes a response. FP16 and BF16 outputs that are not binary are INVALID_ARGUMENT (binary only);
// NaN and infinities in JSON are INVALID_ARGUMENT too, naming output and index (D13).
Result<V2EncodedResponse> EncodeInferResponse(const V2InferResponse& response);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_V2_JSON_H_

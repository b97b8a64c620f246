// Reads and writes v2 inference over gRPC: ModelInferRequest and ModelInferResponse on the protobuf
// wire (contracts, Triton 2.2 to 2.4). Tensor bytes stay where they are, both ways.
#ifndef HEADRACE_PROTOCOL_V2_PROTO_H_
#define HEADRACE_PROTOCOL_V2_PROTO_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/v2_message.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"

namespace headrace::protocol {

struct V2ProtoLimits {
  std::size_t id_byte_size_max = 256;
  std::size_t name_byte_size_max = 1024;                  // of tensors, parameters, regions
  std::size_t text_byte_size_max = std::size_t{1} << 20;  // of a parameter's text
  std::size_t parameter_count_max = 256;                  // of the request, of each tensor
  std::size_t input_count_max = 1024;                     // the caller lowers both to what the
  std::size_t output_count_max = 1024;                    // model declares
  std::size_t converted_byte_size_max = std::size_t{64} << 20;  // of each tensor made from typed
                                                                // contents
};

// What says where a request goes.
struct V2ProtoTarget {
  std::string model_name;
  std::string model_version;  // as sent; empty: the server chooses
  std::string id;
};

struct V2ProtoRequest {
  V2InferRequest message;
  bool wants_empty_final_response = false;  // triton_enable_empty_final_response
};

// Looks at the top level of a ModelInferRequest only, which may lie in any number of buffers.
// INVALID_ARGUMENT for what is no such message.
Result<V2ProtoTarget> ReadProtoTarget(std::span<const Buffer> message, const V2ProtoLimits& limits);

// Where in a ModelInferRequest the bytes of the first raw input begin, as far as the message's
// first bytes tell; 0 when they do not.
std::uint64_t FindProtoRawInput(std::string_view begin);

// Reads all of it. Raw inputs become slices of the message, typed ones get memory from `pool`.
// INVALID_ARGUMENT names the field path ("inputs[0].contents.int_contents[3]: 300 is out of range
// for INT8"); what Triton words in a fixed way keeps its words. RESOURCE_EXHAUSTED above
// `converted_byte_size_max` and where the pool's budget is spent. Fields that are not known are
// checked and passed over. Never throws, never recurses on outside data; linear.
Result<V2ProtoRequest> ParseProtoInferRequest(std::span<const Buffer> message,
                                              std::string_view model_name,
                                              const V2ProtoLimits& limits, BlockPool& pool);

// A ModelInferResponse: small buffers of our own between those of the tensors. Outputs are always
// raw, also where `binary` is false; a version of 0 is left out. RESOURCE_EXHAUSTED when the
// message would exceed `byte_size_max`.
Result<std::vector<Buffer>> EncodeProtoInferResponse(const V2InferResponse& response,
                                                     std::size_t byte_size_max = INT32_MAX);

// The same inside of a ModelStreamInferResponse.
Result<std::vector<Buffer>> EncodeProtoStreamResponse(const V2InferResponse& response,
                                                      std::size_t byte_size_max = INT32_MAX);

// A ModelStreamInferResponse that says why a request failed; of `response`, everything but outputs
// is written.
std::vector<Buffer> EncodeProtoStreamError(std::string_view error_message,
                                           const V2InferResponse& response);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_V2_PROTO_H_

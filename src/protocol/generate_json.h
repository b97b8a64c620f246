// Reads and writes the flat JSON of the generate extension (contracts, Triton 1.10).
#ifndef HEADRACE_PROTOCOL_GENERATE_JSON_H_
#define HEADRACE_PROTOCOL_GENERATE_JSON_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/json_cursor.h"
#include "protocol/v2_json.h"
#include "protocol/v2_message.h"
#include "tensor/block_pool.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace headrace::protocol {

// What must be known of an input of the model.
struct GenerateInput {
  std::string_view name;
  DataType dtype = DataType::kInvalid;
  Shape dims;  // as clients see it; -1 = any
};

// One object. A member that is named like an input is that tensor: a value, or a flat list of
// values. Fixed dimensions take their elements, the innermost open one takes the rest, other open
// ones are 1. `id` is the request's id; members of `parameters` count as if they were at the top;
// all others are parameters of the request, by the rules of the inference request. INVALID_ARGUMENT
// names the member; RESOURCE_EXHAUSTED above limits.json_byte_size_max. `body` must be followed by
// JsonCursor::kPadding readable bytes. Tensors get memory from `pool`.
Result<V2InferRequest> ParseGenerateRequest(std::string_view body,
                                            std::span<const GenerateInput> inputs,
                                            const V2JsonLimits& limits, JsonCursor& cursor,
                                            BlockPool& pool);

// One object: id, model_name, model_version, the parameters, and each output under its name: the
// value of a tensor of one element, a flat list of the others'. Failures are EncodeInferResponse's.
Result<std::string> EncodeGenerateResponse(const V2InferResponse& response);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_GENERATE_JSON_H_

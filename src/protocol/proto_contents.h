// Turns an InferTensorContents message into a tensor's bytes (contracts, Triton 2.2, 2.3).
#ifndef HEADRACE_PROTOCOL_PROTO_CONTENTS_H_
#define HEADRACE_PROTOCOL_PROTO_CONTENTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "protocol/proto_reader.h"
#include "tensor/block_pool.h"
#include "tensor/dtype.h"

namespace headrace::protocol {

struct ProtoContents {
  std::span<const ProtoReader> parts;  // of the message; a field that comes twice is one message
  DataType dtype = DataType::kInvalid;
  std::int64_t element_count = 0;  // what the shape says
  std::size_t byte_size_max = 0;   // of the result
  std::string_view input;          // names of the input and of its model, for messages
  std::string_view model;
  std::size_t input_index = 0;
};

// The elements, in memory from `pool`. INVALID_ARGUMENT unless exactly the list that the datatype
// calls for is there, with `element_count` elements in range; RESOURCE_EXHAUSTED above
// `byte_size_max`. Counts before it allocates.
Result<Buffer> ReadProtoContents(const ProtoContents& contents, BlockPool& pool);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_PROTO_CONTENTS_H_

// Turns the `data` array of an input into a tensor's bytes.
//
// A reader of its own, because number arrays are most of what JSON requests carry: one pass over
// the text straight into the tensor's memory, with every check that the JSON library would make and
// those of the datatype.
#ifndef HEADRACE_PROTOCOL_JSON_DATA_H_
#define HEADRACE_PROTOCOL_JSON_DATA_H_

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "protocol/json_cursor.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"
#include "tensor/dtype.h"

namespace headrace::protocol {

struct JsonData {
  std::string_view text;           // begins with '[', inside the cursor's document
  const char* document = nullptr;  // the document's first byte, for positions in messages
  DataType dtype = DataType::kInvalid;
  std::size_t element_count = 0;  // what the shape says
  std::size_t nesting_max = 64;   // levels of arrays
  std::size_t byte_size_max = 0;  // of the result
  std::size_t input_index = 0;    // for messages: inputs[input_index].data
};

// The elements in row-major order. `data` may be flat or nested; a nesting must be regular (all
// elements at one depth, all arrays of one depth equally long), but need not follow the shape.
// INVALID_ARGUMENT naming the element, RESOURCE_EXHAUSTED when the result would exceed
// `byte_size_max` or the pool's budget. Nothing is allocated for more elements than the text can
// hold. FP16 and BF16 have no JSON form: the caller refuses them. Linear; no recursion.
Result<Buffer> ReadJsonData(const JsonData& data, JsonCursor& cursor, BlockPool& pool);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_JSON_DATA_H_

// Elements of tensors as the v2 protocol's binary form: from JSON, from a generator, from text.
#ifndef HEADRACE_LOAD_ELEMENT_BYTES_H_
#define HEADRACE_LOAD_ELEMENT_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/json_document.h"
#include "load/random.h"
#include "tensor/dtype.h"

namespace headrace::load {

// What becomes BYTES elements where data is generated.
struct StringSpec {
  std::optional<std::string> text;  // each element; nothing = random letters and digits
  std::size_t byte_size = 128;
};

// The elements of `array`, nested or flat, in row-major order, appended to `out`. INVALID_ARGUMENT
// "<path>[3]: 300 is out of range for UINT8": `path` names the array. FP16 and BF16 are rounded.
Status PackJson(JsonElement array, DataType data_type, const std::string& path, std::string& out);

// `count` elements. Numbers of floating point: 0 to 1; BOOL, INT8 and UINT8: any; other integers: 0
// to 127, so that they may be tokens or indices.
std::string RandomElements(DataType data_type, std::size_t count, const StringSpec& strings,
                           Random& random);
// `count` zeros; empty strings for BYTES, unless `strings` has a text.
std::string ZeroElements(DataType data_type, std::size_t count, const StringSpec& strings);

// Elements in `bytes`: nothing where they are not whole (BYTES: not well formed).
std::optional<std::size_t> CountElements(DataType data_type, std::string_view bytes);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_ELEMENT_BYTES_H_

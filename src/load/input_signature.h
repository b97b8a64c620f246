// What a request to a model carries: the inputs with the shapes that will be sent.
#ifndef HEADRACE_LOAD_INPUT_SIGNATURE_H_
#define HEADRACE_LOAD_INPUT_SIGNATURE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/server_control.h"
#include "load/workload_spec.h"
#include "tensor/dtype.h"

namespace headrace::load {

// One input or output; `dims` without the batch dimension, -1 = left open.
struct TensorSignature {
  std::string name;
  DataType data_type{};
  std::vector<std::int64_t> dims;
  bool optional = false;
};

struct Signature {
  std::string model;
  bool batched = false;  // requests have a batch dimension in front
  std::int64_t batch_size = 1;
  std::vector<TensorSignature> inputs, outputs;

  // nullptr where there is none.
  const TensorSignature* Input(std::string_view name) const;
  const TensorSignature* Output(std::string_view name) const;
  // "'A' FP32 [3,-1], 'B' BYTES [1]": for messages.
  std::string InputNames() const;
};

// The signature of `facts` for `item`: its batch size is checked against the model's, its shapes
// against the dimensions that the model fixes. A server that shows no configuration is taken to
// batch where every input begins with -1. INVALID_ARGUMENT names flag and remedy.
Result<Signature> MakeSignature(const ModelFacts& facts, const ItemSpec& item);

// "[3,-1]"
std::string DimsText(std::span<const std::int64_t> dims);
// Nothing if a dimension is negative, or on overflow.
std::optional<std::int64_t> ElementCount(std::span<const std::int64_t> dims);
// Whether `dims` is a choice for what `open` leaves open.
bool Fits(std::span<const std::int64_t> dims, std::span<const std::int64_t> open);
// The dims of `tensor`, all of which must be known: INVALID_ARGUMENT with the --shape that is
// missing.
Result<std::vector<std::int64_t>> KnownDims(const TensorSignature& tensor);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_INPUT_SIGNATURE_H_

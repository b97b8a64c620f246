// What a model takes and gives: the part of its configuration that a request is checked against.
#ifndef HEADRACE_ENGINE_SIGNATURE_H_
#define HEADRACE_ENGINE_SIGNATURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace headrace::engine {

struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kInvalid;
  // -1 = any; without the batch dimension.
  Shape dims{};
  // What the backend sees in place of dims; without the batch dimension.
  std::optional<Shape> reshape{};
  bool optional = false;            // inputs only
  bool allow_ragged_batch = false;  // inputs only
  // Outputs only: class names by index, for the classification extension.
  std::vector<std::string> labels{};
};

struct ModelSignature {
  // 0: no batch dimension. Above 0: every tensor has a leading batch dimension of at most this.
  std::int64_t batch_size_max = 0;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  // Keys the hash of InferRequest::shape_key: drawn at random for each signature, so that no client
  // can make requests of different shapes meet in one batch. Equal in copies.
  std::uint64_t shape_key_seed = DrawShapeKeySeed();

  const TensorSpec* FindInput(std::string_view name) const;
  const TensorSpec* FindOutput(std::string_view name) const;
  // dims with -1 in front when the model batches: what clients see.
  Shape ClientShape(const TensorSpec& spec) const;

  static std::uint64_t DrawShapeKeySeed();
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SIGNATURE_H_

#include "engine/signature.h"

#include <random>

namespace headrace::engine {
namespace {

const TensorSpec* Find(const std::vector<TensorSpec>& specs, std::string_view name) {
  for (const TensorSpec& spec : specs) {
    if (spec.name == name) {
      return &spec;
    }
  }
  return nullptr;
}

}  // namespace

const TensorSpec* ModelSignature::FindInput(std::string_view name) const {
  return Find(inputs, name);
}

const TensorSpec* ModelSignature::FindOutput(std::string_view name) const {
  return Find(outputs, name);
}

Shape ModelSignature::ClientShape(const TensorSpec& spec) const {
  // A configuration of full rank has no room for the batch dimension; the repository refuses it.
  if (batch_size_max == 0 || spec.dims.rank() == Shape::kRankMax) {
    return spec.dims;
  }
  return spec.dims.Prepend(-1);
}

std::uint64_t ModelSignature::DrawShapeKeySeed() {
  std::random_device system;
  return (std::uint64_t{system()} << 32) | system();
}

}  // namespace headrace::engine

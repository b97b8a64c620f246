#include "common/model_tensors.h"

#include <algorithm>

namespace headrace::backend {
namespace {

const TensorInfo* Find(const std::vector<TensorInfo>& tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const TensorInfo& info) { return info.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

bool BatchesFirst(const TensorInfo& info) {
  return info.has_default || (!info.shape.empty() && info.shape.front() == -1);
}

}  // namespace

const TensorInfo* ModelTensors::FindInput(std::string_view name) const {
  return Find(inputs, name);
}
const TensorInfo* ModelTensors::FindOutput(std::string_view name) const {
  return Find(outputs, name);
}

bool ModelTensors::CanBatch() const {
  return std::all_of(inputs.begin(), inputs.end(), BatchesFirst) &&
         std::all_of(outputs.begin(), outputs.end(), BatchesFirst);
}

}  // namespace headrace::backend

#include "engine/sequence_state.h"

#include <utility>

namespace headrace::engine {
namespace {

Tensor InitialValue(const SequenceStateSpec& spec, bool batches) {
  Tensor value;
  value.dtype = spec.dtype;
  value.shape = batches ? spec.initial_dims.Prepend(1) : spec.initial_dims;
  value.data = spec.initial_data;
  return value;
}

bool Fits(const Shape& shape, const Shape& dims, bool batches) {
  const std::size_t offset = batches ? 1 : 0;
  if (shape.rank() != dims.rank() + offset || (batches && shape[0] != 1)) {
    return false;
  }
  for (std::size_t i = 0; i < dims.rank(); ++i) {
    if (shape[i + offset] < 0 || (dims[i] >= 0 && shape[i + offset] != dims[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace

SequenceState::SequenceState(const SequenceOptions& options) : options_(&options) {
  values_.resize(options.states.size());
  Reset();
}

void SequenceState::Reset() {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    values_[i] = InitialValue(options_->states[i], options_->batch_size_max > 0);
  }
}

void SequenceState::AppendInputs(std::vector<NamedTensor>& inputs) const {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    inputs.push_back({.name = options_->states[i].input, .tensor = values_[i]});
  }
}

const SequenceStateSpec* SequenceState::Find(std::string_view output) const {
  for (const SequenceStateSpec& spec : options_->states) {
    if (spec.output == output) {
      return &spec;
    }
  }
  return nullptr;
}

Status SequenceState::Update(std::string_view output, Tensor value) {
  const SequenceStateSpec* spec = Find(output);
  if (spec == nullptr) {
    return InvalidArgument("'{}' is the output of no state of the model", output);
  }
  if (value.dtype != spec->dtype) {
    return InvalidArgument("state '{}' is {}, but the model's configuration says {}", output,
                           DataTypeName(value.dtype), DataTypeName(spec->dtype));
  }
  if (!Fits(value.shape, spec->dims, options_->batch_size_max > 0)) {
    return InvalidArgument("state '{}' has shape {}, but the model's configuration says {}{}",
                           output, value.shape.ToString(), spec->dims.ToString(),
                           options_->batch_size_max > 0 ? " behind a batch dimension of 1" : "");
  }
  values_[static_cast<std::size_t>(spec - options_->states.data())] = std::move(value);
  return OkStatus();
}

}  // namespace headrace::engine

#include "openvino/execution.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace headrace::backend {
namespace {

constexpr std::size_t kLengthByteSize = sizeof(std::uint32_t);

ov::Shape ShapeOf(std::span<const std::int64_t> shape) {
  return ov::Shape(shape.begin(), shape.end());
}

std::size_t ShapeSize(std::span<const std::int64_t> shape) {
  return ov::shape_size(ShapeOf(shape));
}

// `count` serialised elements into a string tensor; elements behind them become empty.
Error FillStrings(std::span<const std::byte> serialised, std::size_t count, ov::Tensor& tensor) {
  auto* const elements = tensor.data<std::string>();
  std::size_t offset = 0;
  for (std::size_t i = count; i < tensor.get_size(); ++i) {
    elements[i].clear();
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    if (serialised.size() - offset < kLengthByteSize) {
      return InvalidArgument("string element {} has an incomplete length", i);
    }
    std::memcpy(&length, serialised.data() + offset, kLengthByteSize);
    offset += kLengthByteSize;
    if (serialised.size() - offset < length) {
      return InvalidArgument("string element {} is incomplete", i);
    }
    elements[i].assign(reinterpret_cast<const char*>(serialised.data()) + offset, length);
    offset += length;
  }
  return {};
}

}  // namespace

std::size_t OpenVinoStrings::SerialisedByteSize(std::size_t first, std::size_t count) const {
  std::size_t byte_size = count * kLengthByteSize;
  for (std::size_t i = first; i < first + count; ++i) {
    byte_size += elements_[i].size();
  }
  return byte_size;
}

void OpenVinoStrings::Serialise(std::size_t first, std::size_t count,
                                std::byte* destination) const {
  for (std::size_t i = first; i < first + count; ++i) {
    const auto length = static_cast<std::uint32_t>(elements_[i].size());
    std::memcpy(destination, &length, kLengthByteSize);
    std::memcpy(destination + kLengthByteSize, elements_[i].data(), length);
    destination += kLengthByteSize + length;
  }
}

OpenVinoExecution::OpenVinoExecution(std::shared_ptr<CompiledModel> model,
                                     std::shared_ptr<NodeProfile> profile)
    : model_(std::move(model)),
      profile_(std::move(profile)),
      request_(model_->compiled().create_infer_request()) {
  const std::size_t output_count = model_->tensors().outputs.size();
  for (std::size_t i = 0; i < output_count; ++i) {
    own_outputs_.push_back(request_.get_output_tensor(i));
  }
  bound_.assign(output_count, false);
}

ov::Tensor& OpenVinoExecution::PaddedInput(std::size_t index, const ov::element::Type& type,
                                           std::span<const std::int64_t> shape) {
  ov::Shape whole = ShapeOf(shape);
  whole[0] = static_cast<std::size_t>(model_->fixed_batch());
  padded_inputs_.resize(std::max(padded_inputs_.size(), index + 1));
  ov::Tensor& tensor = padded_inputs_[index];
  if (!tensor || tensor.get_shape() != whole) {
    tensor = ov::Tensor(type, whole);
  }
  return tensor;
}

Error OpenVinoExecution::BindInput(std::size_t index, std::span<const std::byte> bytes,
                                   std::span<const std::int64_t> shape) {
  const ov::element::Type type = model_->compiled().input(index).get_element_type();
  const bool fixed = model_->fixed_batch() > 0 && !shape.empty();
  rows_ = fixed ? shape[0] : model_->fixed_batch();
  if (padded() && !model_->pads_batches()) {
    return InvalidArgument(
        "the model takes batches of exactly {} rows, not of {}; parameter ENABLE_BATCH_PADDING "
        "pads "
        "them",
        model_->fixed_batch(), rows_);
  }
  ov::Tensor tensor;
  if (padded()) {
    tensor = PaddedInput(index, type, shape);
  } else if (bytes.empty() || type == ov::element::string) {
    tensor = ov::Tensor(type, ShapeOf(shape));
  } else {
    // The runtime does not write into inputs.
    tensor = ov::Tensor(type, ShapeOf(shape), const_cast<std::byte*>(bytes.data()));
  }
  if (type == ov::element::string) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(FillStrings(bytes, ShapeSize(shape), tensor));
  } else if (padded()) {
    auto* const whole = static_cast<std::byte*>(tensor.data());
    std::copy(bytes.begin(), bytes.end(), whole);
    std::fill(whole + bytes.size(), whole + tensor.get_byte_size(), std::byte{0});
  }
  request_.set_input_tensor(index, tensor);
  return {};
}

bool OpenVinoExecution::CanBindOutput(std::size_t) const { return !padded(); }

bool OpenVinoExecution::BindOutput(std::size_t index, std::span<std::byte> destination,
                                   std::span<const std::int64_t> shape) {
  const ov::element::Type type = model_->compiled().output(index).get_element_type();
  request_.set_output_tensor(index, ov::Tensor(type, ShapeOf(shape), destination.data()));
  bound_[index] = true;
  return true;
}

Error OpenVinoExecution::Run(const std::vector<bool>&) {
  request_.infer();
  if (profile_ != nullptr) {
    profile_->Add(request_);
  }
  return {};
}

Error OpenVinoExecution::ReadOutput(std::size_t index, RuntimeOutput* output) {
  const ov::Tensor tensor = request_.get_output_tensor(index);
  output->dtype = DataTypeFromOpenVino(tensor.get_element_type());
  const ov::Shape shape = tensor.get_shape();
  output->shape.assign(shape.begin(), shape.end());
  std::size_t element_count = tensor.get_size();
  std::size_t byte_size = tensor.get_byte_size();
  if (padded()) {
    if (shape.empty() || shape[0] != static_cast<std::size_t>(model_->fixed_batch())) {
      return Internal("output {} has no row for each row of the padded batch", index);
    }
    output->shape[0] = rows_;
    element_count = element_count / shape[0] * static_cast<std::size_t>(rows_);
    byte_size = byte_size / shape[0] * static_cast<std::size_t>(rows_);
  }
  if (output->dtype == TRITONSERVER_TYPE_BYTES) {
    output->strings = &strings_.emplace(tensor.data<std::string>(), element_count);
    return {};
  }
  output->bytes = {static_cast<const std::byte*>(tensor.data()), byte_size};
  return {};
}

// The next batch must not write into memory that this one has given away.
void OpenVinoExecution::Clear() {
  strings_.reset();
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    if (bound_[i]) {
      request_.set_output_tensor(i, own_outputs_[i]);
      bound_[i] = false;
    }
  }
}

}  // namespace headrace::backend

#include "onnxruntime/execution.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "onnxruntime/string_tensor.h"

namespace headrace::backend {
namespace {

std::int64_t ElementCount(std::span<const std::int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

OnnxExecution::OnnxExecution(std::shared_ptr<OnnxSession> session, const ModelConfig& config,
                             const SessionSettings& settings)
    : session_(std::move(session)),
      batches_(config.max_batch_size > 0),
      memory_(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)) {
  for (const OnnxTensorInfo& input : session_->inputs()) {
    input_names_.push_back(input.name.c_str());
  }
  for (const TensorConfig& tensor : config.outputs) {
    outputs_.push_back({*session_->FindOutput(tensor.name)});
  }
  if (!settings.arena_shrinkage.empty()) {
    run_options_.AddConfigEntry("memory.enable_memory_arena_shrinkage",
                                settings.arena_shrinkage.c_str());
  }
}

Error OnnxExecution::Execute(RequestBatch& batch) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadRows(batch));
  HEADRACE_BACKEND_RETURN_IF_ERROR(BindInputs(batch));
  HEADRACE_BACKEND_RETURN_IF_ERROR(BindOutputs(batch));
  if (!output_names_.empty()) {
    Run(batch);
  }
  return Answer(batch);
}

Error OnnxExecution::ReadRows(RequestBatch& batch) {
  rows_.assign(batch.size(), 1);
  if (batches_) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      InputView view;
      HEADRACE_BACKEND_RETURN_IF_ERROR(DescribeInput(batch.request(i), 0u, &view));
      rows_[i] = view.shape.empty() ? 1 : view.shape[0];
    }
  } else if (batch.size() != 1) {
    return Internal("{} requests in one batch of a model without a batch dimension", batch.size());
  }
  row_count_ = std::accumulate(rows_.begin(), rows_.end(), std::int64_t{0});
  batch.set_row_count(static_cast<std::uint64_t>(row_count_));
  return {};
}

Error OnnxExecution::BindInputs(RequestBatch& batch) {
  input_values_.clear();
  for (std::size_t slot = 0; slot < session_->inputs().size(); ++slot) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(BindInput(batch, slot));
  }
  return {};
}

Error OnnxExecution::BindInput(RequestBatch& batch, std::size_t slot) {
  const OnnxTensorInfo& info = session_->inputs()[slot];
  InputView first;
  HEADRACE_BACKEND_RETURN_IF_ERROR(DescribeInput(batch.request(0), info.name.c_str(), &first));
  shape_.assign(first.shape.begin(), first.shape.end());
  if (batches_ && !shape_.empty()) {
    shape_[0] = row_count_;
  }
  GatheredInput gathered;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      gatherer_.Gather(batch.requests(), info.name.c_str(), slot, &gathered));
  input_values_.emplace_back(nullptr);
  if (info.dtype == TRITONSERVER_TYPE_BYTES) {
    return MakeStringTensor(gathered.bytes, shape_, &input_values_.back());
  }
  // The runtime does not write into inputs; its interface has no const.
  input_values_.back() = Ort::Value::CreateTensor(
      memory_, const_cast<std::byte*>(gathered.bytes.data()), gathered.bytes.size(), shape_.data(),
      shape_.size(), OnnxFromDataType(info.dtype));
  return {};
}

bool OnnxExecution::KnownShape(const OnnxTensorInfo& info, std::vector<std::int64_t>* shape) const {
  *shape = info.shape;
  if (batches_ && !shape->empty()) {
    shape->front() = row_count_;
  }
  return std::all_of(shape->begin(), shape->end(), [](std::int64_t dim) { return dim >= 0; });
}

Error OnnxExecution::BindOutputs(RequestBatch& batch) {
  output_names_.clear();
  output_values_.clear();
  for (Output& output : outputs_) {
    output.wanted = false;
    output.in_place = false;
    for (std::size_t i = 0; i < batch.size() && !output.wanted; ++i) {
      output.wanted = batch.Wants(i, output.info.name);
    }
    if (!output.wanted) {
      continue;
    }
    output_names_.push_back(output.info.name.c_str());
    output_values_.emplace_back(nullptr);
    if (batch.size() != 1 || output.info.dtype == TRITONSERVER_TYPE_BYTES ||
        !KnownShape(output.info, &shape_)) {
      continue;
    }
    const auto byte_size = static_cast<std::size_t>(ElementCount(shape_)) *
                           TRITONSERVER_DataTypeByteSize(output.info.dtype);
    std::span<std::byte> destination;
    HEADRACE_BACKEND_RETURN_IF_ERROR(batch.Output(0, output.info.name.c_str(), output.info.dtype,
                                                  shape_, byte_size, &destination));
    output_values_.back() =
        Ort::Value::CreateTensor(memory_, destination.data(), destination.size(), shape_.data(),
                                 shape_.size(), OnnxFromDataType(output.info.dtype));
    output.in_place = true;
  }
  return {};
}

void OnnxExecution::Run(RequestBatch& batch) {
  batch.MarkComputeStart();
  session_->session().Run(run_options_, input_names_.data(), input_values_.data(),
                          input_values_.size(), output_names_.data(), output_values_.data(),
                          output_values_.size());
  batch.MarkComputeEnd();
}

Error OnnxExecution::Answer(RequestBatch& batch) {
  std::size_t next = 0;
  for (const Output& output : outputs_) {
    if (!output.wanted) {
      continue;
    }
    const Ort::Value& value = output_values_[next++];
    if (!output.in_place) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(AnswerTensor(batch, output, value));
    }
  }
  // Memory of the runtime's own goes back now rather than with the next batch.
  output_values_.clear();
  input_values_.clear();
  return {};
}

Error OnnxExecution::AnswerTensor(RequestBatch& batch, const Output& output,
                                  const Ort::Value& value) {
  const auto type = value.GetTensorTypeAndShapeInfo();
  const std::vector<std::int64_t> shape = type.GetShape();
  if (DataTypeFromOnnx(type.GetElementType()) != output.info.dtype) {
    return Internal("output '{}' came with another datatype than the model declares",
                    output.info.name);
  }
  if (batches_ && (shape.empty() || shape.front() != row_count_)) {
    return Internal("output '{}' has {} rows for a batch of {}", output.info.name,
                    shape.empty() ? 0 : shape.front(), row_count_);
  }
  if (output.info.dtype == TRITONSERVER_TYPE_BYTES) {
    return AnswerStrings(batch, output, value, shape);
  }
  const std::size_t byte_size =
      type.GetElementCount() * TRITONSERVER_DataTypeByteSize(output.info.dtype);
  const auto* bytes = static_cast<const std::byte*>(value.GetTensorRawData());
  if (batches_ && row_count_ > 0) {
    batch.Scatter(output.info.name.c_str(), output.info.dtype, shape, {bytes, byte_size}, rows_);
    return {};
  }
  std::span<std::byte> destination;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      batch.Output(0, output.info.name.c_str(), output.info.dtype, shape, byte_size, &destination));
  if (!destination.empty()) {
    std::memcpy(destination.data(), bytes, destination.size());
  }
  return {};
}

Error OnnxExecution::AnswerStrings(RequestBatch& batch, const Output& output,
                                   const Ort::Value& value,
                                   const std::vector<std::int64_t>& shape) {
  const StringTensorReader reader(value);
  std::vector<std::int64_t> slice_shape = shape;
  const std::size_t per_row = batches_ && row_count_ > 0
                                  ? reader.element_count() / static_cast<std::size_t>(row_count_)
                                  : reader.element_count();
  std::size_t first = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t count = batches_ ? per_row * static_cast<std::size_t>(rows_[i]) : per_row;
    if (batches_) {
      slice_shape.front() = rows_[i];
    }
    if (!batch.failed(i) && batch.Wants(i, output.info.name)) {
      std::span<std::byte> destination;
      HEADRACE_BACKEND_RETURN_IF_ERROR(
          batch.Output(i, output.info.name.c_str(), output.info.dtype, slice_shape,
                       reader.SerialisedByteSize(first, count), &destination));
      if (!destination.empty()) {
        reader.Serialise(first, count, destination.data());
      }
    }
    first += count;
  }
  return {};
}

}  // namespace headrace::backend

#include "common/batch_driver.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <utility>

#include "common/state_writer.h"

namespace headrace::backend {
namespace {

std::size_t ElementCount(std::span<const std::int64_t> shape) {
  return static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

// Without a batch dimension the protocol has no rank 0.
bool IsScalar(const TensorInfo& info, const TensorConfig* tensor) {
  return info.shape.empty() && tensor != nullptr &&
         tensor->backend_dims() == std::vector<std::int64_t>{1};
}

}  // namespace

BatchDriver::BatchDriver(const ModelTensors& tensors, const ModelConfig& config)
    : tensors_(tensors), batches_(config.max_batch_size > 0) {
  for (const TensorConfig& tensor : config.outputs) {
    const TensorInfo* info = tensors_.FindOutput(tensor.name);
    outputs_.push_back({.index = static_cast<std::size_t>(info - tensors_.outputs.data()),
                        .scalar = !batches_ && IsScalar(*info, &tensor),
                        .state = config.sequence.HasStateOutput(tensor.name)});
  }
  for (const SequenceTensor& state : config.sequence.state_outputs) {
    const TensorInfo* info = tensors_.FindOutput(state.name);
    states_.push_back(static_cast<std::size_t>(info - tensors_.outputs.data()));
  }
  for (const TensorInfo& info : tensors_.inputs) {
    scalar_inputs_.push_back(!batches_ && IsScalar(info, config.FindInput(info.name)));
  }
}

Error BatchDriver::Execute(RequestBatch& batch, RuntimeRun& run) {
  Error error = Guarded("execution", [&] { return ExecuteBound(batch, run); });
  run.Clear();
  return error;
}

Error BatchDriver::ExecuteBound(RequestBatch& batch, RuntimeRun& run) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadRows(batch));
  HEADRACE_BACKEND_RETURN_IF_ERROR(BindInputs(batch, run));
  HEADRACE_BACKEND_RETURN_IF_ERROR(BindOutputs(batch, run));
  batch.MarkComputeStart();
  HEADRACE_BACKEND_RETURN_IF_ERROR(run.Run(wanted_));
  batch.MarkComputeEnd();
  for (const Output& output : outputs_) {
    if (output.wanted && !output.in_place) {
      RuntimeOutput produced;
      HEADRACE_BACKEND_RETURN_IF_ERROR(run.ReadOutput(output.index, &produced));
      HEADRACE_BACKEND_RETURN_IF_ERROR(Answer(batch, run, output, std::move(produced)));
    }
  }
  return states_.empty() ? run.FinishOutputs() : WriteStates(batch, run);
}

Error BatchDriver::WriteStates(RequestBatch& batch, RuntimeRun& run) {
  StateWriter writer(batch, run);
  for (const std::size_t index : states_) {
    RuntimeOutput produced;
    HEADRACE_BACKEND_RETURN_IF_ERROR(run.ReadOutput(index, &produced));
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        writer.Write(index, tensors_.outputs[index].name.c_str(), produced, batches_, rows_));
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(run.FinishOutputs());
  writer.Commit();
  return {};
}

Error BatchDriver::ReadRows(RequestBatch& batch) {
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

Error BatchDriver::BindInputs(RequestBatch& batch, RuntimeRun& run) {
  for (std::size_t index = 0; index < tensors_.inputs.size(); ++index) {
    const char* const name = tensors_.inputs[index].name.c_str();
    InputView first;
    HEADRACE_BACKEND_RETURN_IF_ERROR(DescribeInput(batch.request(0), name, &first));
    shape_.assign(first.shape.begin(), first.shape.end());
    if (batches_ && !shape_.empty()) {
      shape_[0] = row_count_;
    } else if (scalar_inputs_[index]) {
      shape_.clear();
    }
    HEADRACE_BACKEND_RETURN_IF_ERROR(BindInput(batch, run, index, name));
  }
  return {};
}

Error BatchDriver::BindInput(RequestBatch& batch, RuntimeRun& run, std::size_t index,
                             const char* name) {
  if (run.TakesParts()) {
    std::span<const InputPart> parts;
    std::size_t byte_size = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(gatherer_.Collect(batch.requests(), name, &parts, &byte_size));
    return run.BindInputParts(index, parts, byte_size, shape_);
  }
  GatheredInput gathered;
  HEADRACE_BACKEND_RETURN_IF_ERROR(gatherer_.Gather(batch.requests(), name, index, &gathered));
  return run.BindInput(index, gathered.bytes, shape_);
}

bool BatchDriver::KnownShape(const TensorInfo& info) {
  shape_ = info.shape;
  if (batches_ && !shape_.empty()) {
    shape_.front() = row_count_;
  }
  // An empty one may also be of any rank.
  return !shape_.empty() &&
         std::all_of(shape_.begin(), shape_.end(), [](std::int64_t dim) { return dim >= 0; });
}

Error BatchDriver::BindOutputs(RequestBatch& batch, RuntimeRun& run) {
  wanted_.assign(tensors_.outputs.size(), false);
  for (const std::size_t index : states_) {
    wanted_[index] = true;
  }
  for (Output& output : outputs_) {
    const TensorInfo& info = tensors_.outputs[output.index];
    output.in_place = false;
    output.wanted = false;
    for (std::size_t i = 0; i < batch.size() && !output.wanted; ++i) {
      output.wanted = batch.Wants(i, info.name);
    }
    wanted_[output.index] = output.wanted || output.state;
    if (!output.wanted || output.state || batch.size() != 1 ||
        info.dtype == TRITONSERVER_TYPE_BYTES || !run.CanBindOutput(output.index) ||
        !KnownShape(info)) {
      continue;
    }
    const std::size_t byte_size = ElementCount(shape_) * TRITONSERVER_DataTypeByteSize(info.dtype);
    std::span<std::byte> destination;
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        batch.Output(0, info.name.c_str(), info.dtype, shape_, byte_size, &destination));
    output.in_place = run.BindOutput(output.index, destination, shape_);
    if (!output.in_place) {
      return Internal("output '{}' could not be bound to the response", info.name);
    }
  }
  return {};
}

Error BatchDriver::Answer(RequestBatch& batch, RuntimeRun& run, const Output& answered,
                          RuntimeOutput output) {
  const TensorInfo& info = tensors_.outputs[answered.index];
  if (answered.scalar && output.shape.empty()) {
    output.shape = {1};
  }
  if (output.dtype != info.dtype) {
    return Internal("output '{}' came as {}, the model declares {}", info.name,
                    TRITONSERVER_DataTypeString(output.dtype),
                    TRITONSERVER_DataTypeString(info.dtype));
  }
  if (batches_ && (output.shape.empty() || output.shape.front() != row_count_)) {
    return Internal("output '{}' has {} rows for a batch of {}", info.name,
                    output.shape.empty() ? 0 : output.shape.front(), row_count_);
  }
  if (output.dtype == TRITONSERVER_TYPE_BYTES) {
    return AnswerStrings(batch, info, output);
  }
  if (!output.place.on_host()) {
    return AnswerFromDevice(batch, run, answered.index, output);
  }
  if (batches_ && row_count_ > 0) {
    batch.Scatter(info.name.c_str(), info.dtype, output.shape, output.bytes, rows_);
    return {};
  }
  std::span<std::byte> destination;
  HEADRACE_BACKEND_RETURN_IF_ERROR(batch.Output(0, info.name.c_str(), info.dtype, output.shape,
                                                output.bytes.size(), &destination));
  if (!destination.empty()) {
    std::memcpy(destination.data(), output.bytes.data(), destination.size());
  }
  return {};
}

Error BatchDriver::AnswerFromDevice(RequestBatch& batch, RuntimeRun& run, std::size_t index,
                                    const RuntimeOutput& output) {
  const TensorInfo& info = tensors_.outputs[index];
  shape_ = output.shape;
  const std::size_t total = output.bytes.size();
  const std::size_t row_byte_size =
      batches_ && row_count_ > 0 ? total / static_cast<std::size_t>(row_count_) : total;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t byte_size =
        batches_ ? row_byte_size * static_cast<std::size_t>(rows_[i]) : total;
    if (batches_) {
      shape_.front() = rows_[i];
    }
    if (!batch.failed(i) && batch.Wants(i, info.name)) {
      MemoryPlace place = output.place;
      std::span<std::byte> destination;
      Error error =
          batch.Output(i, info.name.c_str(), info.dtype, shape_, byte_size, &place, &destination);
      if (error.ok() && !destination.empty()) {
        error = run.CopyOutput(index, offset, destination, place);
      }
      if (!error.ok()) {
        batch.Fail(i, error);
      }
    }
    offset += byte_size;
  }
  return {};
}

Error BatchDriver::AnswerStrings(RequestBatch& batch, const TensorInfo& info,
                                 const RuntimeOutput& output) {
  std::vector<std::int64_t> slice_shape = output.shape;
  const std::size_t total = output.strings->count();
  const std::size_t per_row =
      batches_ && row_count_ > 0 ? total / static_cast<std::size_t>(row_count_) : total;
  std::size_t first = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t count = batches_ ? per_row * static_cast<std::size_t>(rows_[i]) : per_row;
    if (batches_) {
      slice_shape.front() = rows_[i];
    }
    if (!batch.failed(i) && batch.Wants(i, info.name)) {
      std::span<std::byte> destination;
      HEADRACE_BACKEND_RETURN_IF_ERROR(
          batch.Output(i, info.name.c_str(), info.dtype, slice_shape,
                       output.strings->SerialisedByteSize(first, count), &destination));
      if (!destination.empty()) {
        output.strings->Serialise(first, count, destination.data());
      }
    }
    first += count;
  }
  return {};
}

}  // namespace headrace::backend

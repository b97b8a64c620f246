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

Error RuntimeRun::OmitInput(std::size_t) {
  return InvalidArgument("the model has no default for it");
}

BatchDriver::BatchDriver(const ModelTensors& tensors, const ModelConfig& config)
    : tensors_(tensors), batches_(config.max_batch_size > 0) {
  for (const TensorConfig& tensor : config.outputs) {
    const TensorInfo* info = tensors_.FindOutput(tensor.name);
    Output& output = outputs_.emplace_back();
    output.index = static_cast<std::size_t>(info - tensors_.outputs.data());
    output.scalar = !batches_ && IsScalar(*info, &tensor);
    output.state = config.sequence.HasStateOutput(tensor.name);
    const BatchOutputConfig* const cut = config.FindBatchOutput(tensor.name);
    if (cut != nullptr && batches_) {
      output.source = cut->source;
      output.dims = tensor.backend_dims();
    }
  }
  for (const SequenceTensor& state : config.sequence.state_outputs) {
    const TensorInfo* info = tensors_.FindOutput(state.name);
    states_.push_back(static_cast<std::size_t>(info - tensors_.outputs.data()));
  }
  for (std::size_t index = 0; index < tensors_.inputs.size(); ++index) {
    const TensorInfo& info = tensors_.inputs[index];
    const TensorConfig* tensor = config.FindInput(info.name);
    const bool named = tensor != nullptr || config.sequence.HasInput(info.name);
    if (config.FindBatchInput(info.name) != nullptr || (!named && info.has_default)) {
      continue;  // no request gives it
    }
    inputs_.push_back({.index = index,
                       .optional = tensor != nullptr && tensor->optional,
                       .scalar = !batches_ && IsScalar(info, tensor),
                       .ragged = batches_ && tensor != nullptr && tensor->allow_ragged_batch});
  }
  for (const BatchInputConfig& made : config.batch_inputs) {
    BatchInput& input = batch_inputs_.emplace_back();
    input.config = made;
    for (const std::string& target : made.targets) {
      const TensorInfo* info = tensors_.FindInput(target);
      input.indices.push_back(static_cast<std::size_t>(info - tensors_.inputs.data()));
    }
  }
}

Error BatchDriver::Execute(RequestBatch& batch, RuntimeRun& run) {
  Error error = Guarded("execution", [&] { return ExecuteBound(batch, run); });
  run.Clear();
  return error;
}

Error BatchDriver::ExecuteBound(RequestBatch& batch, RuntimeRun& run) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadRows(batch));
  run.BeginBatch(row_count_);
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
  for (const Input& input : inputs_) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(BindInput(batch, run, input));
  }
  for (BatchInput& input : batch_inputs_) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(BindBatchInput(batch, run, input));
  }
  return {};
}

Error BatchDriver::BindInput(RequestBatch& batch, RuntimeRun& run, const Input& input) {
  const TensorInfo& info = tensors_.inputs[input.index];
  const char* const name = info.name.c_str();
  InputView first;
  if (Error error = DescribeInput(batch.request(0), name, &first); !error.ok()) {
    if (!input.optional) {
      return error;
    }
    // The server puts requests into one batch only where they have the same inputs.
    Error omitted = info.has_default ? Error() : run.OmitInput(input.index);
    return omitted.ok() ? Error()
                        : InvalidArgument("input '{}' is missing: {}", name, omitted.message());
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(JoinShapes(batch, input, first));
  if (run.TakesParts()) {
    std::span<const InputPart> parts;
    std::size_t byte_size = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(gatherer_.Collect(batch.requests(), name, &parts, &byte_size));
    return run.BindInputParts(input.index, parts, byte_size, shape_);
  }
  GatheredInput gathered;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      gatherer_.Gather(batch.requests(), name, input.index, &gathered));
  return run.BindInput(input.index, gathered.bytes, shape_);
}

Error BatchDriver::JoinShapes(RequestBatch& batch, const Input& input, const InputView& first) {
  if (input.ragged) {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      InputView view;
      std::int64_t count = 0;
      HEADRACE_BACKEND_RETURN_IF_ERROR(DescribeInput(batch.request(i), first.name, &view));
      HEADRACE_BACKEND_RETURN_IF_ERROR(CountElements(view.shape, &count));
      if (__builtin_add_overflow(total, count, &total)) {
        return InvalidArgument("input '{}': the batch is too large", first.name);
      }
    }
    shape_.assign(1, total);
    return {};
  }
  shape_.assign(first.shape.begin(), first.shape.end());
  if (batches_ && !shape_.empty()) {
    shape_[0] = row_count_;
  } else if (input.scalar) {
    shape_.clear();
  }
  return {};
}

Error BatchDriver::BindBatchInput(RequestBatch& batch, RuntimeRun& run, BatchInput& input) {
  source_shapes_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    InputView view;
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        DescribeInput(batch.request(i), input.config.source.c_str(), &view));
    source_shapes_.push_back(view.shape);
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      MakeBatchInput(input.config.kind, input.config.dtype, source_shapes_, &input.tensor));
  const InputPart part{.bytes = input.tensor.bytes, .place = {}};
  const std::span<const InputPart> parts(&part, part.bytes.empty() ? 0 : 1);
  for (const std::size_t index : input.indices) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        run.TakesParts() ? run.BindInputParts(index, parts, part.bytes.size(), input.tensor.shape)
                         : run.BindInput(index, part.bytes, input.tensor.shape));
  }
  return {};
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
        info.dtype == TRITONSERVER_TYPE_BYTES || !output.source.empty() ||
        !run.CanBindOutput(output.index) || !KnownShape(info)) {
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
  HEADRACE_BACKEND_RETURN_IF_ERROR(Cut(batch, answered, output));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.failed(i) || !batch.Wants(i, info.name)) {
      continue;
    }
    if (Error error = AnswerOne(batch, run, i, answered.index, output); !error.ok()) {
      batch.Fail(i, error);
    }
  }
  return {};
}

Error BatchDriver::Cut(RequestBatch& batch, const Output& answered, const RuntimeOutput& output) {
  const std::string& name = tensors_.outputs[answered.index].name;
  const bool by_rows = answered.source.empty();
  const std::size_t total = output.strings != nullptr
                                ? output.strings->count()
                                : output.bytes.size() / TRITONSERVER_DataTypeByteSize(output.dtype);
  if (batches_ && by_rows && (output.shape.empty() || output.shape.front() != row_count_)) {
    return Internal("output '{}' has {} rows for a batch of {}", name,
                    output.shape.empty() ? 0 : output.shape.front(), row_count_);
  }
  const std::size_t rows = batches_ && row_count_ > 0 ? static_cast<std::size_t>(row_count_) : 1;
  std::size_t next = 0;
  parts_.resize(std::max(parts_.size(), batch.size()));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Part& part = parts_[i];
    std::int64_t count = 0;
    if (by_rows) {
      part.shape = output.shape;
      if (batches_) {
        part.shape.front() = rows_[i];
      }
      count = static_cast<std::int64_t>(total / rows) * (batches_ ? rows_[i] : 1);
    } else {
      InputView source;
      HEADRACE_BACKEND_RETURN_IF_ERROR(
          DescribeInput(batch.request(i), answered.source.c_str(), &source));
      HEADRACE_BACKEND_RETURN_IF_ERROR(ScatteredShape(answered.dims, source.shape, &part.shape));
      HEADRACE_BACKEND_RETURN_IF_ERROR(CountElements(part.shape, &count));
    }
    part.first_element = next;
    part.element_count = static_cast<std::size_t>(count);
    if (part.element_count > total - next) {
      return Internal("output '{}' has {} elements, fewer than the batch takes", name, total);
    }
    next += part.element_count;
  }
  if (next != total) {
    return Internal("output '{}' has {} elements, and the batch takes {}", name, total, next);
  }
  return {};
}

Error BatchDriver::AnswerOne(RequestBatch& batch, RuntimeRun& run, std::size_t i, std::size_t index,
                             const RuntimeOutput& output) {
  const TensorInfo& info = tensors_.outputs[index];
  const Part& part = parts_[i];
  std::span<std::byte> destination;
  if (output.strings != nullptr) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(batch.Output(
        i, info.name.c_str(), info.dtype, part.shape,
        output.strings->SerialisedByteSize(part.first_element, part.element_count), &destination));
    if (!destination.empty()) {
      output.strings->Serialise(part.first_element, part.element_count, destination.data());
    }
    return {};
  }
  const std::size_t element_byte_size = TRITONSERVER_DataTypeByteSize(info.dtype);
  const std::size_t offset = part.first_element * element_byte_size;
  const std::size_t byte_size = part.element_count * element_byte_size;
  if (output.place.on_host()) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        batch.Output(i, info.name.c_str(), info.dtype, part.shape, byte_size, &destination));
    if (!destination.empty()) {
      std::memcpy(destination.data(), output.bytes.data() + offset, byte_size);
    }
    return {};
  }
  MemoryPlace place = output.place;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      batch.Output(i, info.name.c_str(), info.dtype, part.shape, byte_size, &place, &destination));
  return destination.empty() ? Error() : run.CopyOutput(index, offset, destination, place);
}

}  // namespace headrace::backend

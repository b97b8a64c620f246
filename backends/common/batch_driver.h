// Takes a batch through a runtime: inputs in place or gathered once, outputs in place or copied
// once.
//
// The runtime's side is a `RuntimeRun`; the driver knows requests, rows and copies, and nothing of
// the runtime.
#ifndef HEADRACE_BACKENDS_COMMON_BATCH_DRIVER_H_
#define HEADRACE_BACKENDS_COMMON_BATCH_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/batch_tensors.h"
#include "common/error.h"
#include "common/input_gatherer.h"
#include "common/model_config.h"
#include "common/model_tensors.h"
#include "common/request_batch.h"

namespace headrace::backend {

// The elements of a string output, serialised on demand.
class StringElements {
 public:
  virtual ~StringElements() = default;
  virtual std::size_t count() const = 0;
  // Bytes that elements [first, first + count) take when serialised (contracts, Triton 1.12).
  virtual std::size_t SerialisedByteSize(std::size_t first, std::size_t count) const = 0;
  // Writes them; `destination` has SerialisedByteSize bytes.
  virtual void Serialise(std::size_t first, std::size_t count, std::byte* destination) const = 0;
};

// One output as the runtime left it; valid until the next Clear.
struct RuntimeOutput {
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::vector<std::int64_t> shape;          // with the batch dimension
  std::span<const std::byte> bytes;         // row-major; for other types than BYTES
  MemoryPlace place;                        // of the bytes
  const StringElements* strings = nullptr;  // for BYTES
};

// One executor of a runtime. Indices are those of ModelTensors. Called on the instance's thread;
// may throw what derives from std::exception.
class RuntimeRun {
 public:
  virtual ~RuntimeRun() = default;
  // A batch of so many rows begins; 1 for a model without a batch dimension.
  virtual void BeginBatch(std::int64_t row_count) {}
  // The input of the whole batch; `bytes` stays valid until Clear. BYTES inputs are serialised
  // elements.
  virtual Error BindInput(std::size_t index, std::span<const std::byte> bytes,
                          std::span<const std::int64_t> shape) = 0;
  // The requests leave out an input that is optional in the configuration. The answer for runtimes
  // that have no default for it is INVALID_ARG.
  virtual Error OmitInput(std::size_t index);
  // True if inputs are handed over by BindInputParts instead: the runtime reads device memory.
  virtual bool TakesParts() const { return false; }
  // The input of the whole batch as the buffers that it is in, in order, none of them empty; they
  // stay valid until Clear, the span does not. `byte_size` is their sum.
  virtual Error BindInputParts(std::size_t index, std::span<const InputPart> parts,
                               std::size_t byte_size, std::span<const std::int64_t> shape) {
    return Internal("the runtime reads no device memory");
  }
  // Asks for an output to be written to `destination`. False: the runtime cannot, and ReadOutput
  // will be called.
  virtual bool BindOutput(std::size_t index, std::span<std::byte> destination,
                          std::span<const std::int64_t> shape) = 0;
  // True if BindOutput may be of use for this output at all.
  virtual bool CanBindOutput(std::size_t index) const = 0;
  // Computes the outputs that `wanted` marks, by index.
  virtual Error Run(const std::vector<bool>& wanted) = 0;
  virtual Error ReadOutput(std::size_t index, RuntimeOutput* output) = 0;
  // For outputs that ReadOutput gave in device memory: copies destination.size() bytes from
  // `offset` on to memory of the server's at `place`. The copy is done when FinishOutputs returns.
  virtual Error CopyOutput(std::size_t index, std::size_t offset, std::span<std::byte> destination,
                           const MemoryPlace& place) {
    return Internal("the runtime has no device memory");
  }
  virtual Error FinishOutputs() { return {}; }
  // Lets go of everything that belongs to the batch.
  virtual void Clear() = 0;
};

// One per instance. Not thread-safe. Borrows the model's tensors, which outlive it.
//
// A ragged input is given to the runtime in one dimension, all requests' elements one behind the
// other. Batch inputs are made here, and batch outputs cut here (batch_tensors.h).
class BatchDriver {
 public:
  BatchDriver(const ModelTensors& tensors, const ModelConfig& config);

  // Answers every request of the batch; a failure returned concerns those not answered.
  Error Execute(RequestBatch& batch, RuntimeRun& run);

 private:
  // An input of the model that requests give.
  struct Input {
    std::size_t index = 0;  // in ModelTensors::inputs
    bool optional = false;  // requests may leave it out
    bool scalar = false;    // of rank 0, which the protocol has as [1]
    bool ragged = false;    // all elements of the batch in one dimension
  };
  struct BatchInput {
    std::vector<std::size_t> indices;  // in ModelTensors::inputs
    BatchInputConfig config;
    BatchInputTensor tensor;  // of the current batch
  };
  struct Output {
    std::size_t index = 0;           // in ModelTensors::outputs
    bool wanted = false;             // by a request of the batch
    bool in_place = false;           // the runtime writes into the response
    bool scalar = false;             // of rank 0, which the protocol has as [1]
    bool state = false;              // also kept as the state of a sequence: read after the run
    std::string source;              // of a batch output: the input that it is cut like
    std::vector<std::int64_t> dims;  // of a batch output, as the configuration has them
  };
  // The part of an output that belongs to one request.
  struct Part {
    std::size_t first_element = 0;
    std::size_t element_count = 0;
    std::vector<std::int64_t> shape;
  };

  Error ExecuteBound(RequestBatch& batch, RuntimeRun& run);
  Error ReadRows(RequestBatch& batch);
  Error BindInputs(RequestBatch& batch, RuntimeRun& run);
  Error BindInput(RequestBatch& batch, RuntimeRun& run, const Input& input);
  // The shape of an input of the whole batch; `first` is the first request's.
  Error JoinShapes(RequestBatch& batch, const Input& input, const InputView& first);
  Error BindBatchInput(RequestBatch& batch, RuntimeRun& run, BatchInput& input);
  Error BindOutputs(RequestBatch& batch, RuntimeRun& run);
  // The output's shape for this batch; false if the model does not fix it.
  bool KnownShape(const TensorInfo& info);
  Error Answer(RequestBatch& batch, RuntimeRun& run, const Output& answered, RuntimeOutput output);
  // Cuts an output into parts_, one for each request.
  Error Cut(RequestBatch& batch, const Output& answered, const RuntimeOutput& output);
  // Gives request `i` its part; the error is that request's.
  Error AnswerOne(RequestBatch& batch, RuntimeRun& run, std::size_t i, std::size_t index,
                  const RuntimeOutput& output);
  Error WriteStates(RequestBatch& batch, RuntimeRun& run);

  const ModelTensors& tensors_;
  const bool batches_;
  InputGatherer gatherer_;
  std::vector<Input> inputs_;  // in the runtime's order
  std::vector<BatchInput> batch_inputs_;
  std::vector<Output> outputs_;      // in the configuration's order
  std::vector<std::size_t> states_;  // indices of outputs that sequences keep

  // Of the current batch; kept for their memory.
  std::vector<std::int64_t> rows_;  // of each request
  std::int64_t row_count_ = 0;
  std::vector<bool> wanted_;
  std::vector<std::int64_t> shape_;
  std::vector<ShapeView> source_shapes_;
  std::vector<Part> parts_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_BATCH_DRIVER_H_

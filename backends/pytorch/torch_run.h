// What running a model is, whatever its format: tensors in, one call, tensors out.
#ifndef HEADRACE_BACKENDS_PYTORCH_TORCH_RUN_H_
#define HEADRACE_BACKENDS_PYTORCH_TORCH_RUN_H_

#include <ATen/core/ivalue.h>

#include <optional>
#include <string>
#include <vector>

#include "common/batch_driver.h"
#include "common/model_tensors.h"
#include "common/string_elements.h"
#include "pytorch/device_queue.h"
#include "pytorch/settings.h"

namespace headrace::backend {

// The PyTorch side of a batch, on the CPU or on a device. Inputs are read where they lie, if that
// is where the model computes; a runtime that allocates its outputs itself leaves them one copy
// away from the response.
class TorchRun : public RuntimeRun {
 public:
  // Borrows `tensors`. May throw c10::Error.
  TorchRun(const ModelTensors& tensors, const PyTorchSettings& settings, const Placement& placement,
           bool batches);

  void BeginBatch(std::int64_t row_count) override { row_count_ = row_count; }
  Error BindInput(std::size_t index, std::span<const std::byte> bytes,
                  std::span<const std::int64_t> shape) final;
  bool TakesParts() const final { return takes_parts_; }
  Error BindInputParts(std::size_t index, std::span<const InputPart> parts, std::size_t byte_size,
                       std::span<const std::int64_t> shape) final;
  bool CanBindOutput(std::size_t index) const final { return false; }
  bool BindOutput(std::size_t index, std::span<std::byte> destination,
                  std::span<const std::int64_t> shape) final {
    return false;
  }
  Error Run(const std::vector<bool>& wanted) final;
  Error ReadOutput(std::size_t index, RuntimeOutput* output) final;
  Error CopyOutput(std::size_t index, std::size_t offset, std::span<std::byte> destination,
                   const MemoryPlace& place) final;
  Error FinishOutputs() final;
  void Clear() final;

 protected:
  // Looks at an input's shape before it is bound.
  virtual Error CheckInput(std::size_t index, std::span<const std::int64_t> shape) { return {}; }
  // Runs the model once: `inputs` by index of ModelTensors, which it may take, None where left out;
  // `outputs` likewise. May throw.
  virtual Error Call(std::vector<c10::IValue>& inputs, const std::vector<bool>& wanted,
                     std::vector<c10::IValue>* outputs) = 0;

  const ModelTensors& tensors() const { return tensors_; }
  // Inputs must be copies of the request's memory, because the model writes into them or keeps
  // them.
  void set_copies_inputs() { copies_inputs_ = true; }

 private:
  Error BindStrings(std::size_t index, std::span<const std::byte> bytes,
                    std::span<const std::int64_t> shape);
  Error BindTensor(std::size_t index, const void* data, std::size_t byte_size,
                   std::span<const std::int64_t> shape);
  Error ReadStrings(const TensorInfo& info, const c10::IValue& value, RuntimeOutput* output);

  const ModelTensors& tensors_;
  const PyTorchSettings settings_;
  const bool batches_;
  bool copies_inputs_ = false;
  DeviceQueue queue_;
  const bool takes_parts_;

  // Of the current batch.
  std::int64_t row_count_ = 1;
  std::vector<c10::IValue> inputs_;
  std::vector<c10::IValue> outputs_;
  std::vector<at::Tensor> read_;  // outputs as they are read: contiguous
  std::vector<std::string> strings_;
  std::optional<StringSpan> string_span_;
  bool pending_ = false;  // the device may still be at work for this batch
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_TORCH_RUN_H_

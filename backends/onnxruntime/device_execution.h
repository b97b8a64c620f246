// One executor over a session on a GPU.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_DEVICE_EXECUTION_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_DEVICE_EXECUTION_H_

#include <onnxruntime_cxx_api.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/batch_driver.h"
#include "common/string_elements.h"
#include "onnxruntime/cuda_copy.h"
#include "onnxruntime/session.h"
#include "onnxruntime/session_options.h"
#include "onnxruntime/string_tensor.h"

namespace headrace::backend {

// What the runtime calls the kinds of memory of a device, and what copies between them.
struct DeviceMemory {
  Ort::MemoryInfo device;
  Ort::MemoryInfo pinned;
  MemoryPlace place;  // of the device
  std::shared_ptr<DeviceCopy> copy;

  // Of a GPU. UNSUPPORTED if there is no driver. May throw Ort::Exception.
  static Error OfGpu(std::int64_t gpu, std::optional<DeviceMemory>* memory);
};

// Binds inputs and outputs to where they lie. An input in one buffer on the host or on this device
// is used where it is; more than one are joined in pinned memory first. Outputs stay on the device,
// and each request's part goes from there to where the server wants it. Strings are always on the
// host.
class OnnxDeviceExecution final : public RuntimeRun {
 public:
  // May throw Ort::Exception.
  OnnxDeviceExecution(std::shared_ptr<OnnxSession> session, const SessionSettings& settings,
                      DeviceMemory memory);

  bool TakesParts() const override { return true; }
  Error BindInput(std::size_t index, std::span<const std::byte> bytes,
                  std::span<const std::int64_t> shape) override;
  Error BindInputParts(std::size_t index, std::span<const InputPart> parts, std::size_t byte_size,
                       std::span<const std::int64_t> shape) override;
  bool CanBindOutput(std::size_t) const override { return false; }
  bool BindOutput(std::size_t, std::span<std::byte>, std::span<const std::int64_t>) override {
    return false;
  }
  Error Run(const std::vector<bool>& wanted) override;
  Error ReadOutput(std::size_t index, RuntimeOutput* output) override;
  Error CopyOutput(std::size_t index, std::size_t offset, std::span<std::byte> destination,
                   const MemoryPlace& place) override;
  void Clear() override;

 private:
  struct Staging {
    std::unique_ptr<Ort::MemoryAllocation> memory;
    std::size_t byte_size = 0;
  };

  bool IsUsedInPlace(std::span<const InputPart> parts) const;
  // The parts one behind the other in pinned memory of input `index`.
  Error Join(std::size_t index, std::span<const InputPart> parts, std::size_t byte_size,
             std::span<std::byte>* joined);
  Error BindStrings(std::size_t index, std::span<const InputPart> parts, std::size_t byte_size,
                    std::span<const std::int64_t> shape);

  const std::shared_ptr<OnnxSession> session_;
  const DeviceMemory memory_;
  const Ort::MemoryInfo host_;
  Ort::Allocator pinned_allocator_;
  Ort::RunOptions run_options_;
  Ort::IoBinding binding_;
  std::vector<Staging> staging_;          // by input
  std::vector<Ort::Value> inputs_;        // by input; of this batch
  std::vector<Ort::Value> outputs_;       // of this batch, in the order of the wanted ones
  std::vector<std::size_t> output_slot_;  // by output: where it is in outputs_
  std::optional<StringTensorReader> strings_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_DEVICE_EXECUTION_H_

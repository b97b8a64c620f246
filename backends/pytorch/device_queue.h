// The work of one instance on its device: a stream of its own, and copies to and from the device.
#ifndef HEADRACE_BACKENDS_PYTORCH_DEVICE_QUEUE_H_
#define HEADRACE_BACKENDS_PYTORCH_DEVICE_QUEUE_H_

#include <ATen/core/Tensor.h>
#include <c10/core/StreamGuard.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "common/error.h"
#include "common/input_gatherer.h"
#include "pytorch/placement.h"

namespace headrace::backend {

// Device-generic: it asks PyTorch for memory, streams and copies, and names no CUDA function. On
// the CPU there is no stream, and nothing is copied that can be read where it lies. One per
// instance, used by its thread; not thread-safe. May throw c10::Error.
class DeviceQueue {
 public:
  explicit DeviceQueue(const Placement& placement);

  c10::Device device() const { return device_; }
  bool on_host() const { return device_.is_cpu(); }

  // While it lives, operations of this thread go to the instance's stream.
  class Scope {
   public:
    explicit Scope(const DeviceQueue& queue) {
      if (queue.stream_) {
        guard_.emplace(*queue.stream_);
      }
    }

   private:
    std::optional<c10::StreamGuard> guard_;
  };

  // The bytes of `parts`, one behind the other, as memory of this device; valid until the next call
  // with the same `slot`. One part that is there already is not copied. Parts on the host go
  // through pinned memory in one copy. Within a Scope.
  const void* Join(std::size_t slot, std::span<const InputPart> parts, std::size_t byte_size);

  // Copies bytes of this device to memory of the server's. Done when Wait returns; until then
  // `source` stays. Within a Scope.
  void CopyOut(std::span<const std::byte> source, std::span<std::byte> destination,
               const MemoryPlace& place);
  // Until everything that this thread asked of the stream is done.
  void Wait();

  // Gives the allocator's unused device memory back. UNSUPPORTED before PyTorch 2.9.
  static Error CheckCacheCleaning();
  void CleanCache();

 private:
  struct Staging {
    at::Tensor device;  // bytes
    at::Tensor pinned;  // bytes on the host
  };
  struct CopyBack {
    std::span<std::byte> destination;
    at::Tensor pinned;
  };

  at::Tensor BytesAt(const void* data, std::size_t byte_size, const MemoryPlace& place) const;
  at::Tensor& Reserve(at::Tensor& memory, std::size_t byte_size, bool pinned);

  const c10::Device device_;
  std::optional<c10::Stream> stream_;
  std::vector<Staging> inputs_;   // by slot
  std::vector<CopyBack> copies_;  // host destinations that Wait fills
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_DEVICE_QUEUE_H_

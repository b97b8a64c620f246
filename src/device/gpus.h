// The GPUs of the machine that models may be placed on.
#ifndef HEADRACE_DEVICE_GPUS_H_
#define HEADRACE_DEVICE_GPUS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "device/cuda_driver.h"

namespace headrace::device {

struct Gpu {
  int id = 0;  // CUDA's ordinal: what model configurations name
  std::string name;
  std::string uuid;  // "GPU-xxxxxxxx-xxxx-...", as NVIDIA's tools print it
  int capability_major = 0;
  int capability_minor = 0;
  std::size_t memory_byte_size = 0;

  double capability() const { return capability_major + capability_minor / 10.0; }
};

// Immutable after Discover, so thread-safe. Holds the primary context of each GPU, which is the one
// that runtimes use too, so that their memory and ours can be mixed.
class Gpus {
 public:
  // None: no driver, no device, or none of at least `capability_min`. `driver` is copied; nothing
  // means that the machine has none, for `why_none` says.
  static Gpus Discover(const Result<CudaDriver>& driver, double capability_min);

  Gpus() = default;
  ~Gpus();
  Gpus(Gpus&& other) noexcept;
  Gpus& operator=(Gpus&&) = delete;
  Gpus(const Gpus&) = delete;

  const std::vector<Gpu>& usable() const { return usable_; }
  bool empty() const { return usable_.empty(); }
  const Gpu* Find(int id) const;
  // Why a machine shows no usable GPU; empty when it has one.
  const std::string& why_none() const { return why_none_; }

  // Requires: not empty().
  const CudaDriver& driver() const { return *driver_; }
  // Makes a GPU's context current for the calls of one thread.
  class Current {
   public:
    Current(const Gpus& gpus, int id);
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;
    bool ok() const { return pushed_; }

   private:
    const CudaDriver& driver_;
    bool pushed_ = false;
  };

 private:
  std::optional<CudaDriver> driver_;
  std::vector<Gpu> usable_;
  std::vector<CudaContext> contexts_;  // of usable_, by index
  std::string why_none_ = "GPUs were not looked for";
};

}  // namespace headrace::device

#endif  // HEADRACE_DEVICE_GPUS_H_

// Requests that every instance answers before its model serves: model_warmup.
#ifndef HEADRACE_ENGINE_WARMUP_H_
#define HEADRACE_ENGINE_WARMUP_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/backend.h"
#include "engine/model.h"
#include "tensor/block_pool.h"
#include "tensor/tensor.h"

namespace headrace::engine {

struct WarmupSample {
  std::string name;
  std::uint32_t count = 1;          // executions
  std::uint32_t request_count = 1;  // in each
  std::vector<NamedTensor> inputs;  // of each request
};

// Immutable, thread-safe. Borrows the pool, which outputs come from.
class Warmup {
 public:
  Warmup(std::vector<WarmupSample> samples, BlockPool& pool)
      : samples_(std::move(samples)), pool_(pool) {}

  // Executes all samples, one after the other, on an instance that has no thread yet; they count in
  // the model's statistics like ordinary requests. Blocks until every request has ended. The
  // failure is "failed to run warmup sample 'S': ...; " (contracts, Triton 4.8).
  Status Run(Instance& instance, const ModelHandle& model, const Clock& clock) const;

 private:
  const std::vector<WarmupSample> samples_;
  BlockPool& pool_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_WARMUP_H_

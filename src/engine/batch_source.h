// Instances that take a second batch while they execute one.
#ifndef HEADRACE_ENGINE_BATCH_SOURCE_H_
#define HEADRACE_ENGINE_BATCH_SOURCE_H_

#include <optional>

#include "engine/backend.h"

namespace headrace::engine {

// Where more batches come from during an execution. For the thread that executes; never blocks.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // The next batch, announced to the statistics as any other: the caller must execute it. Nothing
  // if none is due now, or if the instance shall not go on: it looks again after its next batch.
  // Its `failed` is null: what fails in it ends with the error.
  virtual std::optional<Batch> TryNext() = 0;
};

// An engine::Instance may be one of these too. Not part of the Triton ABI: for instances that hand
// their batches to somebody else, who would idle between the end of one and the arrival of the
// next.
class PipelinedInstance {
 public:
  virtual ~PipelinedInstance() = default;
  // Executes `first`, and what it likes to take from `more` meanwhile, in that order. When it
  // returns nothing is on its way and the instance is free, as after Instance::Execute, which it is
  // called in place of.
  virtual void ExecuteRow(Batch first, BatchSource& more) = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_BATCH_SOURCE_H_

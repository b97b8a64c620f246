// What a request carries while it executes as a step of a sequence.
#ifndef HEADRACE_ENGINE_SEQUENCE_STEP_H_
#define HEADRACE_ENGINE_SEQUENCE_STEP_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "tensor/tensor.h"

namespace headrace::engine {

class InferRequest;

// Lives from the moment when the request is given to an instance until the instance has released
// it; its destruction lets the sequence go on. Belongs to whoever has the request; at most one step
// of a sequence exists at a time.
class SequenceStep {
 public:
  virtual ~SequenceStep() = default;

  // Whether the model keeps an implicit state of which `name` is the output.
  virtual bool HasState(std::string_view name) const = 0;
  // The next value of the state whose output is `name`; the sequence's next step finds it in the
  // state's input. INVALID_ARGUMENT when type or shape are not the configured ones.
  virtual Status UpdateState(std::string_view name, Tensor value) = 0;
  // The sequence takes no more requests, and ends when those that it has are done, whatever they
  // say. A request that names it later begins another one.
  virtual void EndSequence() = 0;
  // Executes the request again as the next step of its sequence (iterative sequences). Takes it in
  // every case; `request->step` is this object, which ends with the call.
  virtual void Reschedule(std::unique_ptr<InferRequest> request) = 0;
  // Whether Reschedule may be called.
  virtual bool MayReschedule() const = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SEQUENCE_STEP_H_

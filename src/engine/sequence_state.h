// The implicit state of one sequence: outputs that come back as inputs with its next request.
#ifndef HEADRACE_ENGINE_SEQUENCE_STATE_H_
#define HEADRACE_ENGINE_SEQUENCE_STATE_H_

#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/sequence_options.h"
#include "tensor/tensor.h"

namespace headrace::engine {

// Not thread-safe: belongs to the one step of the sequence that exists. Borrows the options.
class SequenceState {
 public:
  // With the initial values.
  explicit SequenceState(const SequenceOptions& options);

  // Back to the initial values.
  void Reset();
  // Appends the state inputs. Copies no element.
  void AppendInputs(std::vector<NamedTensor>& inputs) const;
  // The specification of the state whose output is `output`; null if there is none.
  const SequenceStateSpec* Find(std::string_view output) const;
  // INVALID_ARGUMENT when type or shape do not fit the specification.
  Status Update(std::string_view output, Tensor value);

 private:
  const SequenceOptions* options_;
  std::vector<Tensor> values_;  // one for each state, in the options' order
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SEQUENCE_STATE_H_

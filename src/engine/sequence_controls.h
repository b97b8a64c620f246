// The tensors that tell a model where in a sequence a request stands.
#ifndef HEADRACE_ENGINE_SEQUENCE_CONTROLS_H_
#define HEADRACE_ENGINE_SEQUENCE_CONTROLS_H_

#include <vector>

#include "base/result.h"
#include "engine/sequence_id.h"
#include "engine/sequence_options.h"
#include "tensor/tensor.h"

namespace headrace::engine {

struct SequencePosition {
  bool start = false, ready = false, end = false;
};

// Appends one tensor of one element for each control ([1], or [1,1] with a batch dimension). An id
// that is wider than its control loses its upper bits.
void AppendControls(const SequenceOptions& options, const SequencePosition& position,
                    const SequenceId& id, std::vector<NamedTensor>& inputs);

// INVALID_ARGUMENT when the model takes ids of another kind (text, number) than `id` is.
Status CheckIdKind(const SequenceOptions& options, const SequenceId& id, const std::string& model);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SEQUENCE_CONTROLS_H_

// The outcome of a workflow as an HTTP response (contracts, TorchServe 7.3, Appendix B 14). Pure.
#ifndef HEADRACE_TORCHSERVE_WORKFLOW_ANSWER_H_
#define HEADRACE_TORCHSERVE_WORKFLOW_ANSWER_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "store/workflow_run.h"
#include "tensor/buffer.h"

namespace headrace::torchserve {

// Of one leaf its bytes as they are; of several one JSON object, with the leaves' values by their
// names: a leaf that answers no JSON becomes a string. INTERNAL names a leaf whose bytes are
// neither JSON nor UTF-8.
Result<std::vector<Buffer>> WorkflowBody(std::vector<store::WorkflowOutcome::Leaf> leaves);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_WORKFLOW_ANSWER_H_

// The specification file of a workflow (contracts, TorchServe 7.3). Pure.
#ifndef HEADRACE_STORE_WORKFLOW_SPEC_H_
#define HEADRACE_STORE_WORKFLOW_SPEC_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/workflow_graph.h"

namespace headrace::store {

struct WorkflowSpec {
  WorkflowNodeSettings defaults;
  WorkflowGraph graph;
  std::string dag_text;  // "{pre=[a, b], a=[post]}", as `describe` shows it
};

// `has_handler`: the archive has a file of functions. Models that no edge names are left out, as in
// TorchServe. INVALID_ARGUMENT names the key: for what is no YAML, or more than data (yaml_json.h);
// for missing `models` or `dag`; for a model without `url`; for numbers out of range; for a node
// that is neither a model nor can be a function's name; and for what WorkflowGraph::Make refuses.
Result<WorkflowSpec> ParseWorkflowSpec(std::string_view yaml, bool has_handler);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_WORKFLOW_SPEC_H_

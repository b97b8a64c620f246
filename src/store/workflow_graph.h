// What a workflow is: its nodes and what flows between them (contracts, TorchServe 7.3). Pure.
#ifndef HEADRACE_STORE_WORKFLOW_GRAPH_H_
#define HEADRACE_STORE_WORKFLOW_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace headrace::store {

// Each node is a model with worker processes.
inline constexpr std::size_t kWorkflowNodeCountMax = 128;

// What `models` says for all nodes, and what one node has.
struct WorkflowNodeSettings {
  std::int64_t worker_count_min = 1, worker_count_max = 1;
  std::int64_t batch_size = 1;
  std::int64_t batch_delay_ms = 50;
  std::int64_t retry_attempts = 1;   // executions beyond the first
  std::int64_t timeout_ms = 10'000;  // of one execution, from its submission
};

struct WorkflowNode {
  std::string name;
  std::string url;  // of the archive; empty: a function of the workflow's handler file
  WorkflowNodeSettings settings;
};

// Immutable once made. Nodes are named by their indices: every node lies behind its parents, and
// node 0 is where a request begins.
struct WorkflowGraph {
  struct Node {
    WorkflowNode node;
    std::vector<std::size_t> parents, children;
  };
  std::vector<Node> nodes;
  std::vector<std::size_t> leaves;  // what they answer is the workflow's answer

  using Edge = std::pair<std::string, std::string>;  // from, to
  // INVALID_ARGUMENT that names the node for: no node or more than kWorkflowNodeCountMax, a name
  // that comes twice, an edge of an unknown node, an edge that comes twice, a node that follows
  // itself, a cycle, and more than one node without parents ("DAG should have only one start
  // node").
  static Result<WorkflowGraph> Make(std::vector<WorkflowNode> nodes,
                                    const std::vector<Edge>& edges);
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_WORKFLOW_GRAPH_H_

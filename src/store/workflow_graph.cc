#include "store/workflow_graph.h"

#include <algorithm>
#include <map>

#include "base/log.h"

namespace headrace::store {
namespace {

std::string Quoted(std::string_view name) { return "'" + EscapeForLog(name, 128) + "'"; }

// The nodes in an order in which each lies behind its parents; those on a cycle, and behind one,
// are missing. Among nodes that are free at one time the order of the specification stays.
std::vector<std::size_t> Ordered(const std::vector<WorkflowGraph::Node>& nodes) {
  std::vector<std::size_t> missing(nodes.size()), order;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    missing[i] = nodes[i].parents.size();
    if (missing[i] == 0) {
      order.push_back(i);
    }
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    for (const std::size_t child : nodes[order[next]].children) {
      if (--missing[child] == 0) {
        order.push_back(child);
      }
    }
  }
  return order;
}

}  // namespace

Result<WorkflowGraph> WorkflowGraph::Make(std::vector<WorkflowNode> nodes,
                                          const std::vector<Edge>& edges) {
  if (nodes.empty()) {
    return InvalidArgument("dag: there is no node");
  }
  if (nodes.size() > kWorkflowNodeCountMax) {
    return InvalidArgument("dag: there are {} nodes; a workflow may have {}", nodes.size(),
                           kWorkflowNodeCountMax);
  }
  std::vector<Node> given(nodes.size());
  std::map<std::string, std::size_t, std::less<>> index;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!index.emplace(nodes[i].name, i).second) {
      return InvalidArgument("dag: the node {} comes twice", Quoted(nodes[i].name));
    }
    given[i].node = std::move(nodes[i]);
  }
  for (const auto& [from, to] : edges) {
    const auto parent = index.find(from), child = index.find(to);
    if (parent == index.end() || child == index.end()) {
      return InvalidArgument("dag: there is no node {}", Quoted(parent == index.end() ? from : to));
    }
    if (parent == child) {
      return InvalidArgument("dag: the node {} follows itself (Self loop exception)", Quoted(from));
    }
    std::vector<std::size_t>& children = given[parent->second].children;
    if (std::find(children.begin(), children.end(), child->second) != children.end()) {
      return InvalidArgument("dag: the node {} has the child {} twice", Quoted(from), Quoted(to));
    }
    children.push_back(child->second);
    given[child->second].parents.push_back(parent->second);
  }
  const std::vector<std::size_t> order = Ordered(given);
  if (order.size() < given.size()) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (std::find(order.begin(), order.end(), i) == order.end()) {
        return InvalidArgument("dag: Not a valid DAG: the node {} is on a cycle or behind one",
                               Quoted(given[i].node.name));
      }
    }
  }
  if (order.size() > 1 && given[order[1]].parents.empty()) {
    return InvalidArgument("dag: DAG should have only one start node: {} and {} have no parents",
                           Quoted(given[order[0]].node.name), Quoted(given[order[1]].node.name));
  }
  std::vector<std::size_t> place(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
  }
  WorkflowGraph graph;
  for (std::size_t i = 0; i < order.size(); ++i) {
    Node& node = graph.nodes.emplace_back(std::move(given[order[i]]));
    for (std::vector<std::size_t>* neighbours : {&node.parents, &node.children}) {
      for (std::size_t& neighbour : *neighbours) {
        neighbour = place[neighbour];
      }
    }
    if (node.children.empty()) {
      graph.leaves.push_back(i);
    }
  }
  return graph;
}

}  // namespace headrace::store

// One request on its way through a workflow.
#ifndef HEADRACE_STORE_WORKFLOW_RUN_H_
#define HEADRACE_STORE_WORKFLOW_RUN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/parameter.h"
#include "engine/registry.h"
#include "engine/response_sink.h"
#include "store/deadlines.h"
#include "store/store_error.h"
#include "store/workflow_graph.h"
#include "tensor/block_pool.h"
#include "tensor/tensor.h"

namespace headrace::store {

// As a handler's model takes it (docs/workers.md). The parameters go to every node; `parts`, which
// says what is where in the input, is made anew for all but the first.
struct WorkflowRequest {
  std::string id;
  std::vector<NamedTensor> inputs;
  std::vector<Parameter> parameters;
  std::uint64_t client = 0;  // who sent it, for fair queues; 0: not known
  Nanos received = 0;
};

struct WorkflowOutcome {
  StoreError error;
  bool cancelled = false;  // nobody waits for it any more
  // Of each leaf, in the graph's order: its bytes, as its handler's memory holds them.
  struct Leaf {
    std::string name;
    std::vector<Buffer> body;
  };
  std::vector<Leaf> leaves;
};

// Where the outcome goes. Lives as long as any execution of a node that the run has started.
class WorkflowReply {
 public:
  virtual ~WorkflowReply() = default;
  // Any thread, any time.
  virtual bool Cancelled() const = 0;
  // Once, on any thread. Does not block.
  virtual void Finish(WorkflowOutcome outcome) = 0;
};

// A workflow as its runs see it. Immutable.
struct WorkflowPlan {
  std::string name;
  WorkflowGraph graph;
  std::vector<std::string> models;  // of the nodes: names in the registry
};

// Nodes whose parents have all answered run at the same time. An execution that fails, or is not
// through in its time, is followed by another, as often as the node's retry_attempts; then the run
// ends with kInternal that names the node (kUnavailable where the node's queue was full, or no
// worker there). An execution that was given up is cancelled, and what it still answers is dropped.
// Every execution has its time, so every run has an end. Responses are not copied: a node reads the
// bytes that its parents wrote.
//
// Lives as long as one of its executions. Thread-safe. What is to be done is done by one thread at
// a time, as in engine/ensemble_run.h, so that executions which end while they are submitted do not
// nest.
class WorkflowRun : public std::enable_shared_from_this<WorkflowRun> {
 public:
  // The pool outlives every execution, all else the run: until the reply has its outcome.
  struct Context {
    const engine::Registry& registry;
    BlockPool& pool;
    Deadlines& deadlines;
    const Clock& clock;
  };

  // `reply` gets the outcome now or later. Does not block.
  static void Start(std::shared_ptr<const WorkflowPlan> plan, const Context& context,
                    WorkflowRequest request, std::unique_ptr<WorkflowReply> reply);

 private:
  class AttemptSink;
  struct Attempt;
  struct Private {};
  using Lock = std::unique_lock<std::mutex>;

 public:
  WorkflowRun(Private, std::shared_ptr<const WorkflowPlan> plan, const Context& context,
              WorkflowRequest request, std::unique_ptr<WorkflowReply> reply);
  ~WorkflowRun();

 private:
  struct NodeState {
    std::size_t parents_missing = 0;
    std::int64_t attempt_count = 0;
    std::shared_ptr<Attempt> attempt;  // the one that counts; null: none is under way
    Deadlines::Ticket deadline;
    std::vector<Buffer> body;
  };

  // Of an execution that ended; the one that does not count any more changes nothing.
  void OnEnd(std::size_t node, const Attempt* attempt, Status status, std::vector<Buffer> body);
  bool Cancelled() const;
  void Fail(std::size_t node, const Status& status);
  void Pump(Lock lock);
  bool DoOne(Lock& lock);
  void Submit(std::size_t node, std::shared_ptr<Attempt> attempt, Nanos deadline);
  void FillInputs(std::size_t node, std::vector<NamedTensor>& inputs,
                  std::vector<Parameter>& parameters) const;
  void End(Lock& lock);

  const std::shared_ptr<const WorkflowPlan> plan_;
  const Context context_;
  const WorkflowRequest request_;
  const std::unique_ptr<WorkflowReply> reply_;

  std::atomic<bool> ended_{false};  // the reply has its outcome, or gets it now
  std::mutex mutex_;                // guards what follows
  std::vector<NodeState> nodes_;
  std::vector<std::size_t> ready_;  // to be submitted
  std::size_t done_count_ = 0;
  bool pumping_ = false;
  WorkflowOutcome failure_;  // the first one
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_WORKFLOW_RUN_H_

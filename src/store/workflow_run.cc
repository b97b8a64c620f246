#include "store/workflow_run.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engine/model.h"
#include "engine/request.h"
#include "protocol/json_writer.h"

namespace headrace::store {
namespace {

constexpr std::string_view kInput = "data";
constexpr std::string_view kOutput = "body";
constexpr std::string_view kParts = "parts";
constexpr std::size_t kReasonByteSizeMax = 1024;
// How the keeper of a worker tells of a request that was lost with it (worker/keeper_turn.cc).
constexpr std::string_view kWorkerEnded = "the worker ended";

std::size_t ByteSizeOf(const std::vector<Buffer>& body) {
  std::size_t byte_size = 0;
  for (const Buffer& buffer : body) {
    byte_size += buffer.size();
  }
  return byte_size;
}

}  // namespace

// One execution of one node.
struct WorkflowRun::Attempt {
  std::atomic<bool> given_up{false};
};

class WorkflowRun::AttemptSink final : public engine::ResponseSink {
 public:
  AttemptSink(std::shared_ptr<WorkflowRun> run, std::size_t node, std::shared_ptr<Attempt> attempt)
      : run_(std::move(run)), node_(node), attempt_(std::move(attempt)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return run_->context_.pool.Allocate(byte_size);
  }

  // The pieces of a node that streams are one answer.
  void Send(engine::InferResponse response) override {
    if (!response.error.ok() && error_.ok()) {
      error_ = std::move(response.error);
    }
    for (NamedTensor& output : response.outputs) {
      if (output.name == kOutput) {
        for (std::size_t i = 0; i < output.tensor.fragment_count(); ++i) {
          if (!output.tensor.fragment(i).empty()) {
            body_.push_back(output.tensor.fragment(i));
          }
        }
      }
    }
  }

  void Finish(Status status) override {
    run_->OnEnd(node_, attempt_.get(), status.ok() ? std::move(error_) : std::move(status),
                std::move(body_));
  }

  bool Cancelled() const override {
    return attempt_->given_up.load(std::memory_order_relaxed) || run_->Cancelled();
  }

 private:
  const std::shared_ptr<WorkflowRun> run_;
  const std::size_t node_;
  const std::shared_ptr<Attempt> attempt_;
  Status error_;
  std::vector<Buffer> body_;
};

void WorkflowRun::Start(std::shared_ptr<const WorkflowPlan> plan, const Context& context,
                        WorkflowRequest request, std::unique_ptr<WorkflowReply> reply) {
  const auto run = std::make_shared<WorkflowRun>(Private(), std::move(plan), context,
                                                 std::move(request), std::move(reply));
  Lock lock(run->mutex_);
  run->ready_.push_back(0);
  run->Pump(std::move(lock));
}

WorkflowRun::WorkflowRun(Private, std::shared_ptr<const WorkflowPlan> plan, const Context& context,
                         WorkflowRequest request, std::unique_ptr<WorkflowReply> reply)
    : plan_(std::move(plan)),
      context_(context),
      request_(std::move(request)),
      reply_(std::move(reply)),
      nodes_(plan_->graph.nodes.size()) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].parents_missing = plan_->graph.nodes[i].parents.size();
  }
}

WorkflowRun::~WorkflowRun() = default;

bool WorkflowRun::Cancelled() const {
  return ended_.load(std::memory_order_relaxed) || reply_->Cancelled();
}

void WorkflowRun::OnEnd(std::size_t node, const Attempt* attempt, Status status,
                        std::vector<Buffer> body) {
  Lock lock(mutex_);
  NodeState& state = nodes_[node];
  if (state.attempt.get() != attempt) {
    return;
  }
  state.attempt->given_up.store(true, std::memory_order_relaxed);
  state.attempt.reset();
  context_.deadlines.Remove(state.deadline);
  if (status.ok()) {
    state.body = std::move(body);
    ++done_count_;
    for (const std::size_t child : plan_->graph.nodes[node].children) {
      if (--nodes_[child].parents_missing == 0) {
        ready_.push_back(child);
      }
    }
  } else {
    Fail(node, status);
  }
  Pump(std::move(lock));
}

// With mutex_ held.
void WorkflowRun::Fail(std::size_t node, const Status& status) {
  const WorkflowNode& which = plan_->graph.nodes[node].node;
  if (reply_->Cancelled()) {
    failure_.cancelled = true;
    failure_.error = {StoreFault::kInternal, "the client has gone"};
    return;
  }
  const std::int64_t attempt_count = nodes_[node].attempt_count;
  if (attempt_count <= which.settings.retry_attempts) {
    HEADRACE_LOG_WARNING("workflow {}: execution {} of node {} failed and is repeated: {}",
                         plan_->name, attempt_count, which.name,
                         EscapeForLog(status.message(), kReasonByteSizeMax));
    ready_.push_back(node);
    return;
  }
  const bool overloaded = status.code() == StatusCode::kUnavailable &&
                          status.message().find(kWorkerEnded) == std::string::npos;
  if (failure_.error.ok()) {
    failure_.error = {
        overloaded ? StoreFault::kUnavailable : StoreFault::kInternal,
        fmt::format("Failed to execute workflow Node after {} attempts : Error "
                    "executing {}: {}",
                    attempt_count, which.name, status.message().substr(0, kReasonByteSizeMax))};
  }
}

void WorkflowRun::Pump(Lock lock) {
  if (pumping_) {
    return;
  }
  // The last execution may go on the way.
  const std::shared_ptr<WorkflowRun> self = shared_from_this();
  pumping_ = true;
  while (!ended_.load(std::memory_order_relaxed) && DoOne(lock)) {
  }
  pumping_ = false;
  // Before `self` goes.
  lock.unlock();
}

bool WorkflowRun::DoOne(Lock& lock) {
  if (failure_.error.ok() && !ready_.empty() && reply_->Cancelled()) {
    failure_.cancelled = true;
    failure_.error = {StoreFault::kInternal, "the client has gone"};
  }
  if (!failure_.error.ok() || done_count_ == nodes_.size()) {
    End(lock);
    return false;
  }
  if (ready_.empty()) {
    return false;
  }
  const std::size_t node = ready_.back();
  ready_.pop_back();
  NodeState& state = nodes_[node];
  ++state.attempt_count;
  auto attempt = std::make_shared<Attempt>();
  state.attempt = attempt;
  const Nanos deadline =
      context_.clock.Now() + plan_->graph.nodes[node].node.settings.timeout_ms * kMillisecond;
  state.deadline = context_.deadlines.Add(
      deadline, [weak = weak_from_this(), node, weak_attempt = std::weak_ptr(attempt)] {
        const std::shared_ptr<WorkflowRun> run = weak.lock();
        const std::shared_ptr<Attempt> late = weak_attempt.lock();
        if (run != nullptr && late != nullptr) {
          run->OnEnd(node, late.get(),
                     DeadlineExceeded("it took more than {} ms (timeout-ms)",
                                      run->plan_->graph.nodes[node].node.settings.timeout_ms),
                     {});
        }
      });
  lock.unlock();
  Submit(node, std::move(attempt), deadline);
  lock.lock();
  return true;
}

// Without the lock: what it reads of the node's parents does not change any more.
void WorkflowRun::FillInputs(std::size_t node, std::vector<NamedTensor>& inputs,
                             std::vector<Parameter>& parameters) const {
  inputs = request_.inputs;
  parameters = request_.parameters;
  const std::vector<std::size_t>& parents = plan_->graph.nodes[node].parents;
  if (parents.empty()) {
    return;
  }
  NamedTensor input;
  input.name = kInput;
  input.tensor.dtype = DataType::kUint8;
  std::string parts;
  protocol::JsonWriter json(parts);
  json.BeginArray();
  std::size_t offset = 0;
  for (const std::size_t parent : parents) {
    const std::size_t byte_size = ByteSizeOf(nodes_[parent].body);
    json.BeginObject().Key("name").String(
        parents.size() == 1 ? kOutput : std::string_view(plan_->graph.nodes[parent].node.name));
    json.Key("type").String("").Key("offset").Uint(offset).Key("size").Uint(byte_size);
    json.EndObject();
    offset += byte_size;
    for (const Buffer& buffer : nodes_[parent].body) {
      if (input.tensor.data.empty()) {
        input.tensor.data = buffer;
      } else {
        input.tensor.more_fragments.push_back(buffer);
      }
    }
  }
  json.EndArray();
  input.tensor.shape = Shape({1, static_cast<std::int64_t>(offset)});
  inputs.clear();
  inputs.push_back(std::move(input));
  std::erase_if(parameters, [](const Parameter& parameter) { return parameter.name == kParts; });
  parameters.push_back({std::string(kParts), std::move(parts)});
}

void WorkflowRun::Submit(std::size_t node, std::shared_ptr<Attempt> attempt, Nanos deadline) {
  const Result<engine::ModelHandle> model =
      context_.registry.Load()->Lookup(plan_->models[node], std::nullopt);
  if (!model.ok()) {
    OnEnd(node, attempt.get(), model.status(), {});
    return;
  }
  auto request = std::make_unique<engine::InferRequest>(
      *model, std::make_unique<AttemptSink>(shared_from_this(), node, std::move(attempt)));
  request->id = request_.id;
  request->client = request_.client;
  request->deadline = deadline;
  request->times.received = node == 0 ? request_.received : context_.clock.Now();
  FillInputs(node, request->inputs, request->parameters);
  (*model)->Submit(std::move(request));
}

// Gives the reply its outcome, without the lock.
void WorkflowRun::End(Lock& lock) {
  ended_.store(true, std::memory_order_relaxed);
  std::vector<Deadlines::Ticket> tickets;
  for (NodeState& state : nodes_) {
    if (state.attempt != nullptr) {
      state.attempt->given_up.store(true, std::memory_order_relaxed);
      state.attempt.reset();
      tickets.push_back(state.deadline);
    }
  }
  WorkflowOutcome outcome = std::move(failure_);
  failure_ = {};
  if (outcome.error.ok()) {
    for (const std::size_t leaf : plan_->graph.leaves) {
      outcome.leaves.push_back({plan_->graph.nodes[leaf].node.name, std::move(nodes_[leaf].body)});
    }
  }
  lock.unlock();
  for (const Deadlines::Ticket& ticket : tickets) {
    context_.deadlines.Remove(ticket);
  }
  reply_->Finish(std::move(outcome));
  lock.lock();
}

}  // namespace headrace::store

// One inference request on its way through the server.
#ifndef HEADRACE_ENGINE_REQUEST_H_
#define HEADRACE_ENGINE_REQUEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/parameter.h"
#include "base/small_memory.h"
#include "base/status.h"
#include "engine/execution_observer.h"
#include "engine/request_trace.h"
#include "engine/response_sink.h"
#include "tensor/tensor.h"

namespace headrace::engine {

class Model;

// Pins one version of one model: while a handle lives, the version's instances and memory do.
using ModelHandle = std::shared_ptr<Model>;

// Why a request ended without success; the `reason` label of nv_inference_request_failure
// (contracts, Triton 4.10).
enum class FailureReason : std::uint8_t { kRejected, kCanceled, kBackend, kOther };

struct RequestTimes {
  Nanos received = 0;   // the front end had the whole request
  Nanos queued = 0;     // Push
  Nanos executing = 0;  // handed to the instance
};

struct QueueTag;    // the requests that may share a batch, or a batch that is being formed
struct ArrivalTag;  // all queued requests of a model, oldest first
struct LaneTag;     // all queued requests of a model, in the order of their priorities

class SequenceStep;

// Move-only in effect: held by one std::unique_ptr at any time (front end -> queue -> instance). It
// ends exactly once, by Finish; destroying one that has not ended finishes it with INTERNAL. Not
// thread-safe: one owner, one thread at a time.
class InferRequest : public ListNode<QueueTag>,
                     public ListNode<ArrivalTag>,
                     public ListNode<LaneTag>,
                     public SmallObject {
 public:
  // `handle` may be null only where no model is involved (tests of the queue): nothing is counted
  // then.
  InferRequest(ModelHandle handle, std::unique_ptr<ResponseSink> response_sink);
  ~InferRequest();
  InferRequest(const InferRequest&) = delete;
  InferRequest& operator=(const InferRequest&) = delete;

  // Filled by the front end before Submit.
  std::string id;
  std::vector<NamedTensor> inputs;          // any order; the batch dimension is in the shapes
  std::vector<std::string> wanted_outputs;  // empty = all outputs of the model
  std::vector<Parameter> parameters;        // forwarded to the backend
  std::uint64_t priority = 0;               // 0 = the model's default
  std::uint64_t timeout_us = 0;             // time in queue; 0 = the model's default
  std::uint64_t correlation_id = 0;         // 0 = not in a sequence
  std::string correlation_id_text;          // a string correlation id; empty = none
  std::uint32_t sequence_flags = 0;         // 1 = start, 2 = end
  std::uint64_t client = 0;                 // who sent it, for a fair queue; 0 = not known
  Nanos deadline = kNever;

  // Set by ValidateRequest and the scheduler.
  std::int64_t batch_size = 1;  // 1 for models without a batch dimension
  std::uint64_t shape_key = 0;  // requests with equal keys may share a batch
  std::size_t byte_size = 0;    // of all inputs, charged to the queue
  RequestTimes times;
  std::shared_ptr<RequestTrace> trace;          // null: not traced
  std::shared_ptr<ExecutionObserver> observer;  // null: only the model's statistics count
  std::uint64_t lane = 0;                       // of the queue, by priority and client; 0 is first
  Nanos queue_expiry = kNever;                  // the model's queue policy lets it wait until then
  std::uint64_t queue_ticket = 0;               // counts what came into the queue
  bool placeholder = false;  // fills a slot of a sequence batch that has no request
  // Set while it executes as a step of a sequence; its end tells the scheduler that the request was
  // released (sequence_step.h).
  std::unique_ptr<SequenceStep> step;

  const ModelHandle& model() const { return model_; }
  ResponseSink& sink() { return *sink_; }
  bool Cancelled() const { return sink_->Cancelled(); }
  // Passes one response on to the sink. Requires: not finished.
  void Send(InferResponse response);

  // Ends the request: tells the sink, counts the outcome in the model's statistics, leaves the
  // model's gate. Later calls are ignored, and logged as a fault of the backend that made them.
  void Finish(Status status, FailureReason reason = FailureReason::kOther);
  bool finished() const { return finished_; }
  // Puts `wrap(current sink)` in the sink's place (ordering, cache). Requires: nothing sent yet.
  template <typename Wrap>
  void WrapSink(Wrap wrap) {
    sink_ = wrap(std::move(sink_));
  }
  // True once Submit has counted the request as received; Finish then counts its outcome.
  bool submitted = false;
  // True once Submit has let the request into the model's gate; Finish then leaves it.
  bool inside_gate = false;
  // True while it holds one of the model's job tickets (ModelOptions::job_tickets).
  bool has_ticket = false;

 private:
  ModelHandle model_;
  std::unique_ptr<ResponseSink> sink_;
  bool finished_ = false;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_REQUEST_H_

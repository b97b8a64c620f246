// The way back of a request that gets one answer: from whatever thread ends it to the loop of its
// call.
#ifndef HEADRACE_FRONTEND_SINGLE_REPLY_H_
#define HEADRACE_FRONTEND_SINGLE_REPLY_H_

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "engine/model.h"
#include "engine/response_sink.h"
#include "frontend/infer_reply.h"
#include "net/event_loop.h"

namespace headrace::frontend {

struct Services;

// The state of an answer. It is a loop task from the beginning, so that its end hands it to the
// loop without an allocation. A protocol derives its own, with the call that it answers.
class SingleReply : public net::LoopTask {
 public:
  // `services` are borrowed and outlive the call's loop. `activity` is the protocol's name in
  // traces: "HTTP".
  SingleReply(engine::ModelHandle model, InferReplyPlan plan, const Services& services,
              std::string_view activity)
      : model_(std::move(model)),
        plan_(std::move(plan)),
        services_(services),
        activity_(activity) {}

  void AddResponse(engine::InferResponse response);
  void SetOutcome(Status status);

  // On the loop: answers, unless nobody listens, with trace and statistics around it.
  void Run() final;

 protected:
  virtual bool Cancelled() const = 0;
  // On the loop, once.
  virtual void Answer() = 0;

  // Why there is no answer: the request's failure, or a number of responses that is not one, which
  // gets `wrong_count`, or a text about the model.
  Status Outcome(std::string_view wrong_count = {}) const;
  const engine::Model& model() const { return *model_; }
  const InferReplyPlan& plan() const { return plan_; }
  const engine::InferResponse& response() const { return response_; }
  const Services& services() const { return services_; }

 private:
  engine::ModelHandle model_;
  InferReplyPlan plan_;
  const Services& services_;
  const std::string_view activity_;
  engine::InferResponse response_;
  std::size_t response_count_ = 0;
  Status outcome_;
  Nanos finished_ = 0;
};

// Fills a SingleReply and posts it to `loop`. A protocol derives its own, with what knows whether
// the client is gone.
class SingleReplySink : public engine::ResponseSink {
 public:
  SingleReplySink(std::unique_ptr<SingleReply> reply, net::EventLoop& loop,
                  const Services& services)
      : loop_(loop), services_(services), reply_(std::move(reply)) {}
  // One that was never finished answers INTERNAL.
  ~SingleReplySink() override;

  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) final;
  void Send(engine::InferResponse response) final;
  void Finish(Status status) final;

 private:
  net::EventLoop& loop_;
  const Services& services_;
  std::unique_ptr<SingleReply> reply_;  // null once finished: then it belongs to the loop
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_SINGLE_REPLY_H_

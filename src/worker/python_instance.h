// An instance of a Python model: hands batches to a worker process and its answers to the requests.
#ifndef HEADRACE_WORKER_PYTHON_INSTANCE_H_
#define HEADRACE_WORKER_PYTHON_INSTANCE_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/backend.h"
#include "engine/batch_source.h"
#include "engine/self_report.h"
#include "worker/flight.h"
#include "worker/flight_codec.h"
#include "worker/keeper.h"
#include "worker/second_batch.h"
#include "worker/session.h"

namespace headrace::worker {

struct ExecutionOptions {
  Nanos response_timeout = 0;  // of a batch, from when its execution begins; 0: none
  SecondBatch second_batch = SecondBatch::kAuto;
};

// Two system calls for a batch: one packet to the worker, one from it. Inputs are copied once, into
// the data region, outputs once, out of it; requests keep tensors of their own.
//
// While executions are short (second_batch.h) a second batch is handed over behind the one that
// executes, so that the worker finds it there when it is through and need not be woken for it. The
// worker takes up one packet after the other: what is behind has not begun before the first is
// answered, and goes to the next worker if this one ends before that.
class PythonInstance final : public engine::Instance,
                             public engine::PipelinedInstance,
                             public engine::SelfReport {
 public:
  PythonInstance(std::unique_ptr<Keeper> keeper, std::string label,
                 std::vector<std::string> input_names, std::vector<std::string> output_names,
                 ExecutionOptions options);

  void Execute(engine::Batch batch) override;
  void ExecuteRow(engine::Batch first, engine::BatchSource& more) override;
  void WatchHealth(engine::HealthListener listener) override {
    keeper_->Watch(std::move(listener));
  }

  engine::InstanceProcess Process() const override { return keeper_->process(); }

  Status Readiness() const override { return keeper_->ModelReadiness(); }

 private:
  using Requests = std::vector<std::unique_ptr<engine::InferRequest>>;

  void RefuseGpuInputs(Requests& requests) const;
  void Accept(engine::Batch batch);
  std::size_t FlightCountMax() const { return second_batch_.allows() ? 2 : 1; }
  // Hands over what waits, as far as it may go now.
  void HandOver();
  // The first that waits. False: it stays the first, and can go once nothing is on its way.
  bool SendFirst();
  // Waits for the answer to the oldest flight, and is through with it.
  void Complete();
  // EXECUTED, once it has come. A failure ends the worker, unless it has ended by itself: then it
  // is UNAVAILABLE.
  Result<std::size_t> WaitForAnswer(const Flight& flight);
  void GiveAnswers(const Flight& flight);
  // The worker is lost, and with it the oldest flight if that has begun; what has not waits for the
  // next worker.
  void Lose(Status why, bool has_begun);
  // What is still open of it has ended with its worker.
  void FailRest(const Flight& flight, const Status& why);

  const std::unique_ptr<Keeper> keeper_;
  const std::string label_;
  const Nanos response_timeout_;
  const Clock& clock_ = Clock::Real();

  std::deque<Requests> waiting_;  // batches that the worker does not have, in order
  std::deque<Flight> flights_;    // that it has, all of them of session_
  std::shared_ptr<Session> session_;
  bool is_gone_ = false;  // session_ takes no more
  SecondBatchRule second_batch_;

  // Kept for their memory.
  FlightCodec codec_;
  PacketBuffer packet_;
  std::vector<FlightCodec::Answered> answered_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PYTHON_INSTANCE_H_

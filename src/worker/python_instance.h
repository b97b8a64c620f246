// An instance of a Python model: hands batches to a worker process and its answers to the requests.
#ifndef HEADRACE_WORKER_PYTHON_INSTANCE_H_
#define HEADRACE_WORKER_PYTHON_INSTANCE_H_

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/backend.h"
#include "engine/self_report.h"
#include "engine/statistics.h"
#include "worker/delivery.h"
#include "worker/json_messages.h"
#include "worker/keeper.h"
#include "worker/session.h"

namespace headrace::worker {

struct ExecutionLimits {
  Nanos response_timeout = 0;  // of a batch; 0: none
};

// Two system calls for a batch: one packet to the worker, one from it. Inputs are copied once, into
// the data region, outputs once, out of it; requests keep tensors of their own.
class PythonInstance final : public engine::Instance, public engine::SelfReport {
 public:
  PythonInstance(std::unique_ptr<Keeper> keeper, std::string label,
                 std::vector<std::string> input_names, std::vector<std::string> output_names,
                 ExecutionLimits limits);

  void Execute(engine::Batch batch) override;
  void WatchHealth(engine::HealthListener listener) override {
    keeper_->Watch(std::move(listener));
  }

  engine::InstanceProcess Process() const override { return keeper_->process(); }

  Status Readiness() const override { return keeper_->ModelReadiness(); }

 private:
  using Requests = std::span<std::unique_ptr<engine::InferRequest>>;
  using Unsent = std::vector<std::unique_ptr<engine::InferRequest>>;
  struct Stamps {
    Nanos start = 0, sent = 0, answered = 0;
  };

  void RefuseGpuInputs(engine::Batch& batch) const;
  // Returns the requests that the worker never got, because it had ended before.
  Unsent Run(const std::shared_ptr<Session>& session, Requests requests);
  // Copies the inputs and makes the body of EXECUTE. RESOURCE_EXHAUSTED: they find no room.
  Status Encode(Session& session);
  void AppendInputs(const Session& session, const OpenRequests::Opened& opened,
                    std::uint64_t& offset);
  // EXECUTED, once it has come. A failure ends the worker, unless it has ended by itself: then it
  // is UNAVAILABLE.
  Result<std::size_t> WaitForAnswer(Session& session);
  Status ReadAnswer(Session& session, std::size_t packet_size);
  void GiveAnswers(engine::ModelStatistics& statistics);
  // The worker is lost, and with it what it ran.
  void Lose(const std::shared_ptr<Session>& session, Status why);

  const std::unique_ptr<Keeper> keeper_;
  const std::string label_;
  const std::vector<std::string> input_names_, output_names_;
  const ExecutionLimits limits_;
  const Clock& clock_ = Clock::Real();

  // Of the batch that is executing; kept for their memory.
  std::vector<OpenRequests::Opened> opened_;
  std::uint64_t batch_size_ = 0;
  std::uint64_t block_offset_ = 0, block_size_ = 0;
  Stamps stamps_;
  std::string body_, extras_, storage_;
  std::vector<WireTensor> tensors_;
  PacketBuffer packet_;
  WireDecoder decoder_;
  JsonDecoder json_;
  struct Answered {
    std::unique_ptr<engine::InferRequest> request;
    Answer answer;
    bool rescheduled = false;
  };
  std::vector<Answered> answered_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PYTHON_INSTANCE_H_
